"""The runs of a batch, the best of each task first, under where the batch stands."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from engine.domain.batch import Batch, BatchSummary
from engine.domain.cost import RunCost
from engine.domain.model import Run
from engine.domain.ranking import RankedTask
from tui import formatting
from tui.formatting import batches
from tui.terminal.cells import cells
from tui.widgets.base.line_view import LineView

Part = tuple[str, str]
FRAME = 2


class BatchHead(LineView, can_focus=False):
    """Title and progress of a batch: two lines."""

    DEFAULT_CSS = """
    BatchHead { height: 4; }
    """

    def __init__(self) -> None:
        super().__init__(title="Batch")
        self._rows: list[list[Part]] = []

    def show(self, swarm: Batch, so_far: BatchSummary) -> None:
        """Show this batch."""
        self._rows = [batches.heading(swarm, so_far), batches.standing(swarm, so_far)]
        width = sum(cells(text) for text, _ in self._rows[1])
        if width >= self.scrollable_content_region.width > 0:
            figures = batches.figures(swarm, so_far)
            self._rows[1:] = [batches.progress(so_far), batches.joined(figures)]
        self.set_title(f"Batch · {swarm.name}")
        if self.styles.height is None or self.styles.height.value != len(self._rows) + FRAME:
            self.styles.height = len(self._rows) + FRAME
        self.set_lines(len(self._rows), cursor=0)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one of the lines."""
        parts = [
            Segment(f" {text}" if not n else text, self.paint.tone(tone))
            for n, (text, tone) in enumerate(self._rows[line])
        ]
        return self.paint.strip(parts, width)


class BatchRuns(LineView):
    """Runs with a cursor; headings show the parameters of the runs below them."""

    def __init__(self) -> None:
        super().__init__(title="Runs", empty_text="Looking for the batch …")
        self._rows: list[tuple[list[Part], Run | None]] = []
        self._shown: tuple[Sequence[RankedTask], float, RunCost] | None = None

    @property
    def chosen(self) -> Run | None:
        """The run the cursor is on; under a heading, the first below it."""
        below = (run for _, run in self._rows[self.cursor_line :] if run)
        return next(below, None)

    def show(self, found: Sequence[RankedTask], now: float, cost: RunCost) -> None:
        """Show these; the cursor stays on its run."""
        chosen = self.chosen
        self._shown = found, now, cost
        room = self.scrollable_content_region.width - 1
        heads = [(batches.heads(found, room, cost), "faint")]
        self._rows = [(heads, None), *batches.ranked(found, now, room, cost)]
        ids = [run.id if run else "" for _, run in self._rows]
        old = chosen.id if chosen else ""
        first = next((place for place, run_id in enumerate(ids) if run_id), 0)
        self.set_lines(len(self._rows), cursor=ids.index(old) if old in ids else first)

    def styles_changed(self) -> None:
        """Render the runs again."""
        if self._shown:
            self.show(*self._shown)

    def draw(self, line: int, width: int) -> Strip:
        """Draw one line."""
        parts, run = self._rows[line]
        cursor = line == self.cursor_line and run is not None
        gutter = formatting.sign("▌", "|") if cursor else " "
        segments = [Segment(gutter, self.paint.tone("live"))]
        segments += [Segment(text, self.paint.tone(tone)) for text, tone in parts]
        return self.paint.strip(segments, width, cursor=cursor)

    def move_cursor(self, line: int) -> None:
        """Go past headings, in the direction of the move."""
        step = -1 if line < self.cursor_line else 1
        while 0 <= line < self.line_count and self._rows[line][1] is None:
            line += step
        if 0 <= line < self.line_count or self.line_count:
            line = max(0, min(line, self.line_count - 1))
            if self._rows[line][1] is not None:
                super().move_cursor(line)
