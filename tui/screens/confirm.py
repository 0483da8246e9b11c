"""A question before something that cannot be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Static

from engine.domain.record import record
from tui.screens.dialog import Dialog
from tui.widgets.status.toast import app_of


@record
class ConfirmChoice:
    """One answer: its id, the key that gives it, its words."""

    id: str
    key: str
    label: str
    is_danger: bool = False


class ConfirmDialog(Dialog[str]):
    """Asks; answers with the id of the choice, or None for `esc`.

    The `default` has the focus: the last choice where nothing else is said, the harmless one.
    """

    def __init__(
        self, title: str, text: str, choices: Sequence[ConfirmChoice], default: str | None = None
    ) -> None:
        super().__init__()
        self._heading, self._text, self._choices = title, text, choices
        self._default = default or choices[-1].id

    def compose(self) -> ComposeResult:
        """Lay the question out."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._heading)
            yield Static(Content(self._text))
            with Horizontal(classes="buttons"):
                for choice in self._choices:
                    label = Content.assemble((choice.key, "underline"), f" {choice.label}")
                    yield Button(
                        label,
                        id=choice.id,
                        classes="-danger" if choice.is_danger else None,
                        compact=True,
                    )

    def on_mount(self) -> None:
        """Begin on the answer that `enter` gives."""
        self.query_one(f"#{self._default}", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer."""
        self.dismiss(event.button.id)

    def on_key(self, event: events.Key) -> None:
        """Answer by a choice's own key, move between them with the arrows."""
        for choice in self._choices:
            if event.key == choice.key:
                event.stop()
                self.dismiss(choice.id)
                return
        if event.key in ("left", "h"):
            self.focus_previous()
        elif event.key in ("right", "l"):
            self.focus_next()


class ExitDialog(Dialog[None]):
    """Says what the program waits for before it ends; `q` ends it without waiting."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,ctrl+q", "stop_waiting", show=False)]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._heading, self._text = title, text

    def compose(self) -> ComposeResult:
        """Lay the words out."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._heading)
            box.border_subtitle = Content("q quit without waiting")
            yield Static(Content(self._text))

    def action_leave(self) -> None:
        """Stay: there is no way back."""

    def action_stop_waiting(self) -> None:
        """End the program now."""
        app_of(self).exit()
