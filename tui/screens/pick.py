"""One of a few lines, to be picked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.screens.dialog import Dialog


class PickDialog(Dialog[int]):
    """Answers with the place of the line that was picked, or None."""

    DEFAULT_CSS = """
    PickDialog {
        .box { padding: 1 1; }
        &.-roomy .box { width: 110; }
        &.-roomy OptionList { max-height: 80%; }
        OptionList {
            height: auto; max-height: 16; border: none; background: $surface;
            scrollbar-size-vertical: 1; &:focus { border: none; }
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
    ]

    def __init__(
        self,
        title: str,
        lines: Sequence[str | Content],
        chosen: int = 0,
        *,
        is_wide: bool = False,
    ) -> None:
        super().__init__()
        self.set_class(is_wide, "-roomy")
        self._heading, self._lines, self._place = title, lines, chosen

    def compose(self) -> ComposeResult:
        """Compose the lines."""
        with Vertical(classes="box") as box:
            box.border_title = Content(self._heading)
            box.border_subtitle = Content("enter picks · esc back")
            yield OptionList(*(Option(_content(line)) for line in self._lines))

    def on_mount(self) -> None:
        """Begin on the line that holds now."""
        options = self.query_one(OptionList)
        options.highlighted = self._place
        options.focus()

    def action_move(self, direction: str) -> None:
        """Go one line on or back."""
        options = self.query_one(OptionList)
        options.action_cursor_down() if direction == "down" else options.action_cursor_up()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer."""
        self.dismiss(event.option_index)


def _content(line: str | Content) -> Content:
    return line if isinstance(line, Content) else Content(line)
