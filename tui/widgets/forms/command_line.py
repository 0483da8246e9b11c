"""The command line that would do the same as a form, in a place that keeps its size."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui.formatting.symbols import sign
from tui.terminal.cells import clean, crop

LIMIT = 1_000
PROMPT = "$ "


class CommandLine(Widget):
    """Command line, cut with `…` where there is no room."""

    DEFAULT_CSS = """
    CommandLine {
        height: 2; color: $secondary; text-wrap: nowrap;
        &:hover { color: $foreground; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="command")
        self._line = ""

    def say(self, line: str) -> None:
        """Show this line, or nothing."""
        line = clean(line.replace("\n", sign("↵", " ")), LIMIT)
        if line != self._line:
            self._line = line
            self.refresh()

    def render(self) -> Content:
        """Fill the rows one after the other, at spaces as far as can be."""
        if not self._line:
            return Content("")
        width, rest = self.size.width - len(PROMPT), self._line
        rows: list[str] = []
        while rest and len(rows) < self.size.height:
            is_last = len(rows) + 1 == self.size.height
            row = rest if is_last else _beginning(rest, width)
            rest = rest[len(row) :].lstrip(" ")
            rows.append(crop(row, width, sign("…", "~")))
        behind = "".join(f"\n{' ' * len(PROMPT)}{row}" for row in rows[1:])
        return Content.assemble((PROMPT, "$accent"), *rows[:1], behind)


def _beginning(text: str, width: int) -> str:
    """Return the part of `text` that fits into a row."""
    if crop(text, width, "") == text:
        return text
    fits = text[: len(crop(text, width + 1, ""))]
    words = fits.rfind(" ", width // 2)
    return fits[:words] if words > 0 else fits
