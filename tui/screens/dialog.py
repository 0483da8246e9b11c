"""Base of all dialogs: a framed box in the middle, a title, `esc` to leave."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import ModalScreen

from tui.screens.styled_once import StyledOnce
from tui.terminal.dimmed import DimmedScreen

T = TypeVar("T")


class Dialog(StyledOnce[T], ModalScreen[T], Generic[T]):
    """A box over the screen; `esc` closes it without an answer."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 70%;
        .box {
            width: 76;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 1 2;
            background: $surface;
            border: round $border-blurred;
            border-title-color: $accent;
            border-title-style: bold;
            border-subtitle-color: $secondary;
        }
        .buttons { height: 1; margin-top: 1; align-horizontal: right; layout: horizontal; }
        Button {
            width: auto; min-width: 8; height: 1; margin-left: 2; padding: 0 2;
            border: none; background: $panel; color: $foreground; text-style: none;
            &:focus { background: $accent; color: $background; text-style: bold; }
            &:hover { background: $panel-lighten-1; }
            &:focus:hover { background: $accent; }
            &.-danger { color: $error; }
            &.-danger:focus { background: $error; color: $background; }
            &:disabled { color: $secondary 50%; }
        }
    }
    """

    _is_closing = False

    # With priority: what is typed right after them is meant for the field they lead to.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back", show=False),
        Binding("tab", "app.focus_next", "next field", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", "field before", show=False, priority=True),
    ]

    def render(self) -> Any:  # noqa: ANN401  as Textual has it: two types that are not related
        """Draw the screen below, tinted."""
        below = super().render()
        if isinstance(below, BackgroundScreen):
            return DimmedScreen(below.screen, below.color)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        return below

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close with an answer; a key typed while the dialog closes answers nothing else."""
        if self._is_closing:
            return AwaitComplete.nothing()
        self._is_closing = True
        return super().dismiss(result)

    def action_leave(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
