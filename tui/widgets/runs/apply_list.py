"""Runs that are to be applied: a block of lines for each, of which only those in view are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.segment import Segment
from textual.strip import Strip

from tui.formatting.apply_rows import Line
from tui.terminal.cells import wrap
from tui.widgets.base.line_view import LineView

INDENT = 2
MOST, FEW = 16, 8
"""Lines that are in view at most, and where the terminal is short."""
SHORT = 30


class ApplyList(LineView, can_focus=False):
    """The blocks below each other, as high as they are up to a limit."""

    DEFAULT_CSS = """
    ApplyList { border: none; height: 3; background: $surface; scrollbar-background: $surface; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: list[Sequence[Line]] = []
        self._begins: list[int] = []
        self._lines: list[Line] = []

    def show(self, blocks: Sequence[Sequence[Line]]) -> None:
        """Show these blocks."""
        self._blocks = list(blocks)
        self._lay_out()

    def replace(self, place: int, block: Sequence[Line]) -> None:
        """Show another block in a place."""
        self._blocks[place] = block
        self._lay_out()

    def show_block(self, place: int) -> None:
        """Scroll until a block is in view."""
        self.show_line(self._begins[place] + len(self._blocks[place]) - 1)
        self.show_line(self._begins[place])

    def styles_changed(self) -> None:
        """Wrap the lines again."""
        self._lay_out()

    def _lay_out(self) -> None:
        width = self.scrollable_content_region.width
        self._begins, self._lines = [], []
        for block in self._blocks:
            self._begins.append(len(self._lines))
            for line in block:
                self._lines += _wrapped(line, width)
        self.set_lines(len(self._lines), cursor=0)
        most = MOST if self.screen.size.height >= SHORT else FEW
        height = max(1, min(most, len(self._lines)))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line."""
        parts = (Segment(text, self.paint.tone(tone)) for text, tone in self._lines[line])
        return self.paint.strip(parts, width)


def _wrapped(line: Line, width: int) -> Iterator[Line]:
    """Return a line in lines of a width; one of several parts is cut instead."""
    if len(line) > 1 or width <= INDENT:
        yield line
        return
    text, tone = line[0]
    indent = " " * (len(text) - len(text.lstrip(" ")))
    for part in wrap(text.strip(" "), width - len(indent)):
        yield [(indent + part, tone)]
