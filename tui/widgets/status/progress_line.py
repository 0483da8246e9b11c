"""One line that shows how far something in the background is, and which key stops it."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui import formatting
from tui.terminal.cells import clean, crop

BAR = 20


class ProgressLine(Widget):
    """Line that is shown only while there is progress."""

    DEFAULT_CSS = """
    ProgressLine { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, hint: str = "") -> None:
        super().__init__()
        self._usual_hint = self._hint = hint
        self._words = ""
        self._percent: float | None = None
        self.display = False

    def tell(self, words: str, percent: float | None = None, hint: str | None = None) -> None:
        """Show the work and its progress, in percent where that is known; "" hides all.

        `hint` is for this work alone.
        """
        self._words, self._percent, self._hint = words, percent, hint or self._usual_hint
        self.display = bool(words)
        self.refresh()

    def render(self) -> Content:
        """Draw the bar, the words and the key."""
        bar = "" if self._percent is None else formatting.bar(self._percent, BAR) + " "
        room = self.size.width - len(bar) - len(self._hint) - 2
        words = crop(clean(self._words, 300), max(10, room))
        return Content.assemble((bar, "$accent"), (words, ""), "  ", (self._hint, "$secondary"))
