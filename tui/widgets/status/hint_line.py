"""One line above the keys that names what to press next."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui import formatting
from tui.terminal.cells import clean, crop


class HintLine(Widget):
    """The current hint of a guided tour."""

    DEFAULT_CSS = """
    HintLine { height: 1; padding: 0 1; text-wrap: nowrap; background: $primary 20%; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._words = ""

    def show(self, words: str) -> None:
        """Show a hint."""
        if words != self._words:
            self._words = words
            self.refresh()

    def render(self) -> Content:
        """Draw the hint."""
        mark = formatting.sign("▸", ">")
        words = crop(clean(self._words, 300), max(1, self.size.width - 4))
        return Content.assemble((f"{mark} ", "bold $primary"), words)
