"""Runs beside each other, a column each: rows of a name and what each run has there."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from tui import formatting
from tui.formatting.batches import BESIDE
from tui.terminal.cells import crop, fit
from tui.widgets.base.line_view import LineView

Part = tuple[str, str]
NAME = 30
GAP = 2


class RunTable(LineView):
    """The rows, with a cursor; where there are more columns than room, it starts at another."""

    def __init__(self) -> None:
        super().__init__(empty_text="Looking at what they changed …")
        self._rows: Sequence[tuple[str, Sequence[Part]]] = ()
        self._first = 0

    def show(self, rows: Sequence[tuple[str, Sequence[Part]]]) -> None:
        """Show these; the cursor stays where it is."""
        self._rows = rows
        self.set_lines(len(rows), cursor=self.cursor_line)
        self.move_aside(0)

    def move_aside(self, by: int) -> None:
        """Begin so many columns further right; the last one stays at the edge."""
        count = len(self._rows[0][1]) if self._rows else 0
        room = max(1, (self.scrollable_content_region.width - NAME - 1) // (BESIDE + GAP))
        self._first = max(0, min(self._first + by, count - room))
        self.border_subtitle = f"← → {self._first + 1}–{min(count, self._first + room)} of {count}"
        self.refresh()

    def styles_changed(self) -> None:
        """Compute again which columns have room."""
        self.move_aside(0)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one row."""
        cursor, (name, cells) = line == self.cursor_line, self._rows[line]
        segments = [
            Segment(formatting.sign("▌", "|") if cursor else " ", self.paint.tone("live")),
            Segment(fit(crop(name, NAME), NAME), self.paint.tone("dim")),
        ]
        for text, tone in cells[self._first :]:
            segments.append(Segment(" " * GAP + fit(text, BESIDE), self.paint.tone(tone)))
        return self.paint.strip(segments, width, cursor=cursor)
