"""How an arrangement of runs looks: lines with headings, or tiles; drawn only while visible."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from rich.segment import Segment
from textual.strip import Strip

from engine.domain import lifecycle
from engine.domain.model import Run, Status
from tui import formatting
from tui.models.grouped_runs import GroupedRuns, RunGroup
from tui.models.list_options import ListOptions
from tui.widgets.base.line_view import LineView
from tui.widgets.base.marks import Marks
from tui.widgets.runs import run_heading, run_tile
from tui.widgets.runs.run_columns import (
    DEFAULT_COLUMNS,
    Column,
    Part,
    QueuePosition,
    RowContext,
    columns_of,
    lay_out,
)
from tui.widgets.runs.run_line import MARGIN, segments

BEATS = 32
"""The stretches of time that a sparkline shows at most."""

MAX_SEEN = 500
"""Runs of which it is remembered how they were drawn last."""


class RunsView(LineView):
    """Draws an `GroupedRuns`, and keeps what of it is marked; a `RunList` moves about in it."""

    DEFAULT_CSS = """
    RunsView { padding: 1 0 0 0; &.-tiles { padding: 0; } }
    """

    def __init__(
        self,
        *,
        columns: Sequence[str] = DEFAULT_COLUMNS,
        clock: Callable[[], float] = time.time,
        wait: Callable[[Run], QueuePosition] | None = None,
        lately: Callable[[str, float, int], Sequence[int]] | None = None,
        empty_text: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(title="Runs", empty_text=empty_text, id=id)
        self._columns = columns_of(columns)
        self.arrangement = GroupedRuns(ListOptions(), {})
        self.marks = Marks(self, lambda: self.arrangement)
        self._clock = clock
        self._wait = wait or _no_wait
        self._lately = lately or _nothing_known
        self._now = clock()
        self._filled: set[str] = set()
        self._layout: tuple[int, list[tuple[Column, int]]] = (0, [])
        self._marked_in: tuple[AbstractSet[str], Counter[str]] | None = None
        """The marks counted last, and how many of them are in each group."""
        self._seen: dict[str, tuple[Segment, ...]] = {}
        """What was drawn last of the runs in view, and of some that were."""

    # What can be seen of the runs

    def take_note(self, runs: Iterable[Run], *, anew: bool = False) -> None:
        """Take note of the columns that have something to say; the others take up no room."""
        filled: set[str] = set() if anew else set(self._filled)
        wanting = [column for column in self._columns if column.name not in filled]
        for run in runs:
            found = [column for column in wanting if column.has is None or column.has(run)]
            if found:
                filled.update(column.name for column in found)
                wanting = [column for column in wanting if column.name not in filled]
            if not wanting:
                break
        if filled != self._filled:
            self._filled = filled
            self._layout = (0, [])
            self.paint.forget_strips()
            self.refresh()

    @property
    def columns(self) -> Sequence[str]:
        """The columns that have room now, in order."""
        return [column.name for column, _ in self._laid_out(self._width)]

    def tick(self, now: float | None = None) -> None:
        """Let the clocks of the visible runs go on; call it once a second."""
        before, self._now = self._now, self._clock() if now is None else now
        if not self.is_on_screen:
            return
        stale: list[int] = []
        for line in self.visible_lines():
            found = self.arrangement[line]
            if isinstance(found, str):
                run = self.arrangement.runs[found]
                if self._beat(run, before) != self._beat(run, self._now) and self.looks_other(line):
                    stale.append(line)
        self.repaint(*stale)

    def _beat(self, run: Run, now: float) -> object:
        """Give what of the time shows in a run's drawing: each second, or how old it is."""
        return (
            int(now)
            if run.status not in lifecycle.FINISHED
            else formatting.age(now - run.created_at)
        )

    # Tiles

    @property
    def is_tiled(self) -> bool:
        """Whether runs are shown as tiles."""
        return self.has_class("-tiles")

    def show_tiles(self, is_tiled: bool) -> None:
        """Show runs as tiles, or as lines."""
        self.set_class(is_tiled, "-tiles")
        self._fit_tiles()

    def resized(self) -> None:
        """Choose tiles that fit, and keep the cursor in view."""
        self._fit_tiles()
        super().resized()

    def _fit_tiles(self) -> None:
        region = self.scrollable_content_region
        grid = (1, 1)
        if self.is_tiled:
            grid = run_tile.best_grid(len(self.arrangement), region.width, region.height)
        if self.tiles.set(*grid):  # the line the cursor is on stays in view
            self.paint.forget_strips()
            self.set_lines(self.line_count, cursor=self.cursor_line)
            self.show_line(self.cursor_line)

    # Drawing

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _laid_out(self, width: int) -> list[tuple[Column, int]]:
        if self._layout[0] != width:
            columns = [column for column in self._columns if column.name in self._filled]
            self._layout = (width, lay_out(columns or self._columns, width - MARGIN))
        return self._layout[1]

    def frame_line(self, y: int) -> Strip:
        """Draw a line of the frame; the columns' headings stand above the list."""
        if self.is_tiled or not self.line_count or y != self.styles.gutter.top - 1:
            return super().frame_line(y)
        width = self._width
        heads = run_heading.column_heads(self, self._laid_out(width), self.arrangement.selection)
        return self.painted.framed(self.paint.strip(heads, width), self.region.width)

    def draw(self, line: int, width: int) -> Strip:
        """Draw the line of one run, or a heading."""
        found = self.arrangement[line]
        cursor, marked = line == self.cursor_line, self._is_marked(found)
        if isinstance(found, RunGroup):
            return self.paint.strip(
                self._heading(found, 0, width, cursor, marked), width, cursor=cursor
            )
        parts = self._parts(self.arrangement.runs[found], width, cursor=cursor, marked=marked)
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen[found] = parts
        key = (found, parts)
        return self.paint.kept(key) or self.paint.keep(
            key, self.paint.strip(parts, width, cursor=cursor)
        )

    def _parts(self, run: Run, width: int, *, cursor: bool, marked: bool) -> tuple[Segment, ...]:
        """Give all that is to be seen of a run in its line."""
        moment, _ = self._moment(run)
        columns = self._laid_out(width)
        return tuple(segments(self, columns, run, moment, cursor=cursor, marked=marked))

    def looks_other(self, line: int) -> bool:
        """Say whether a line would now be drawn otherwise than it was last: most events show not.

        Drawing a line costs ten times as much as finding that out.
        """
        found = self.arrangement[line]
        if self.is_tiled or isinstance(found, RunGroup):
            return True
        run, cursor = self.arrangement.runs[found], line == self.cursor_line
        parts = self._parts(run, self._width, cursor=cursor, marked=self._is_marked(found))
        return self._seen.get(found) != parts

    def _moment(self, run: Run) -> tuple[RowContext, object]:
        """Give what a run's drawing depends on besides the run, and a key for it."""
        wait = self._wait(run) if run.status is Status.QUEUED else QueuePosition()
        moment = RowContext(self._now, wait)
        return moment, (self._beat(run, self._now), wait)

    def _heading(
        self, group: RunGroup, row: int, width: int, cursor: bool, marked: bool
    ) -> Iterator[Segment]:
        grouping = self.arrangement.selection.grouping
        is_folded = group.name in self.arrangement.folded
        room = width - MARGIN
        if self.is_tiled:
            parts = run_heading.tile_row(group, grouping, row, room, is_folded=is_folded)
        else:
            parts = run_heading.line(group, grouping, room, is_folded=is_folded)
        return self._edged(parts, row, cursor, marked, is_strong=True)

    def draw_row(self, line: int, row: int, width: int) -> Strip:
        """Draw one row of a tile."""
        found = self.arrangement[line]
        cursor, marked = line == self.cursor_line, self._is_marked(found)
        if self.tiles.tall > 2 and row == self.tiles.tall - 1:
            return Strip.blank(width, self.paint.ground(cursor=False))
        if isinstance(found, RunGroup):
            return self.paint.strip(
                self._heading(found, row, width, cursor, marked), width, cursor=cursor
            )
        run = self.arrangement.runs[found]
        moment, second = self._moment(run)
        key = (run.id, run.seq, run.overlaps, width, cursor, marked, second, row, self.tiles.tall)
        if (known := self.paint.kept(key)) is not None:
            return known
        lately = self._lately(run.id, self._now, BEATS) if row == 3 else ()
        parts = run_tile.tile_row(run, moment, lately, row, self.tiles.tall, width - MARGIN)
        drawn = self._edged(parts, row, cursor, marked, is_strong=cursor and row == 0)
        return self.paint.keep(key, self.paint.strip(drawn, width, cursor=cursor))

    def _edged(
        self, parts: Iterable[Part], row: int, cursor: bool, marked: bool, *, is_strong: bool
    ) -> Iterator[Segment]:
        """Put the cursor's and the mark's sign before what a line or a tile says."""
        yield Segment(formatting.sign("▌", "|") if cursor else " ", self.paint.tone("live"))
        yield Segment(
            formatting.sign("◆", "*") if marked and not row else " ", self.paint.tone("warn")
        )
        for text, tone in parts:
            style = self.paint.tone(tone)
            if text:
                yield Segment(text, style + self.paint.strong() if is_strong else style)

    def _is_marked(self, found: RunGroup | str) -> bool:
        """Return whether a run is marked, or all runs of a group."""
        marked = self.marks.ids
        if isinstance(found, str):
            return found in marked
        if not marked:
            return False
        if self._marked_in is None or self._marked_in[0] is not marked:
            groups = Counter(self.arrangement.group_of(one) for one in marked)
            self._marked_in = (marked, groups)
        return self._marked_in[1][found.name] == len(found)


def _no_wait(run: Run) -> QueuePosition:
    del run
    return QueuePosition()


def _nothing_known(run_id: str, now: float, count: int) -> Sequence[int]:
    del run_id, now, count
    return ()
