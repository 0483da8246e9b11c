"""One of many on one line: shows what is chosen, and asks for a list when it is pressed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.terminal.cells import clean


class AskLine(Widget, can_focus=True):
    """A choice too long for the line; enter or a click asks for it."""

    DEFAULT_CSS = "AskLine { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "ask", show=False)]

    class ChoiceRequested(Message):
        """The user wants to choose."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._word, self._note, self._look = "none", "", "$secondary"

    def say(self, word: str, note: str = "", look: str = "$secondary") -> None:
        """Show what is chosen, and a note about it."""
        self._word, self._note, self._look = clean(word, 60), clean(note, 200), look
        self.refresh()

    def render(self) -> Content:
        """Draw the choice."""
        lit = "bold $background on $accent" if self.has_focus else "bold $foreground on $panel"
        return Content.assemble((f"[{self._word}]", lit), "  ", (self._note, self._look))

    def action_ask(self) -> None:
        """Ask."""
        self.post_message(self.ChoiceRequested())

    def on_click(self) -> None:
        """Ask."""
        self.action_ask()

    def on_focus(self) -> None:
        """Light up."""
        self.refresh()

    def on_blur(self) -> None:
        """Go dim."""
        self.refresh()
