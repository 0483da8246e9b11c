"""The drawing of the run list: lines with headings, or tiles; only visible ones are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

from rich.segment import Segment
from textual.strip import Strip

from engine.domain import lifecycle
from engine.domain.cost import RunCost, no_cost
from engine.domain.model import Run, Status
from tui import formatting
from tui.models.grouped_runs import RunGroup
from tui.widgets.runs import run_heading, run_tile
from tui.widgets.runs.run_activity import Part, QueuePosition, RowContext
from tui.widgets.runs.run_columns import Column, columns_of, lay_out

if TYPE_CHECKING:
    from tui.widgets.runs.run_list import RunList

MARGIN = 3
"""Cells of a line that no column takes: cursor and mark before them, a space after."""
BEATS = 32
"""The stretches of time that a sparkline shows at most."""
MAX_SEEN = 500
"""Runs of which the last drawing is remembered."""
Wait = Callable[[Run], QueuePosition]
Layout = Sequence[tuple[Column, int]]
Lately = Callable[[str, float, int], Sequence[int]]


class _Found(NamedTuple):
    """A line that has changed: its segments, and what they depend on besides the run."""

    layout: Layout
    look: tuple[bool, bool]
    """True if the cursor is on it, and if it is marked."""
    parts: tuple[Segment, ...]


class RunPainter:
    """Painter of the lines of a run list, in the columns that have room."""

    def __init__(
        self,
        view: RunList,
        columns: Iterable[str],
        wait: Wait,
        lately: Lately,
        cost: RunCost = no_cost,
    ) -> None:
        self._view = view
        self._columns = columns_of(columns)
        self._wait, self._lately, self._cost = wait, lately, cost
        self.now = 0.0
        self._filled: set[str] = set()
        self._layout: tuple[int, list[tuple[Column, int]]] = (0, [])
        self._marked_in: tuple[AbstractSet[str], Counter[str]] | None = None
        """The marks counted last, and how many of them are in each group."""
        self._seen: dict[str, tuple[Segment, ...]] = {}
        """The last drawing of the runs in view, and of some that were."""
        self._found: dict[str, _Found] = {}
        """Lines that were found to have changed, until they are drawn."""

    # Columns

    def fill_columns(
        self, runs: Iterable[Run], *, again: bool = False, is_part: bool = False
    ) -> bool:
        """Find the columns that have a text; return whether others have one than before.

        Of a part of the runs (`is_part`), no column has one that had none.
        """
        filled: set[str] = set() if again else set(self._filled)
        wanting = [column for column in self._columns if column.name not in filled]
        if is_part:
            wanting = [column for column in wanting if column.name in self._filled]
        for run in runs:
            found = [column for column in wanting if column.has is None or column.has(run)]
            if found:
                filled.update(column.name for column in found)
                wanting = [column for column in wanting if column.name not in filled]
            if not wanting:
                break
        if filled == self._filled:
            return False
        self._filled = filled
        self._layout = (0, [])
        return True

    def layout(self) -> list[tuple[Column, int]]:
        """Return the columns that have room now, with their widths."""
        width = self._view.scrollable_content_region.width
        if self._layout[0] != width:
            columns = [column for column in self._columns if column.name in self._filled]
            self._layout = (width, lay_out(columns or self._columns, width - MARGIN))
        return self._layout[1]

    @property
    def columns(self) -> Sequence[str]:
        """Return the names of the columns that have room now, in order."""
        return [column.name for column, _ in self.layout()]

    def heads(self) -> Strip:
        """Draw the headings of the columns."""
        selection = self._view.arrangement.selection
        parts = run_heading.column_heads(self._view, self.layout(), selection)
        return self._view.paint.strip(parts, self._view.scrollable_content_region.width)

    def forget_found(self) -> None:
        """Make all segments again: other lines are shown, or in another theme."""
        self._found.clear()

    # Time and marks

    def forget_marks(self) -> None:
        """Count the marks of each group again: runs moved between groups."""
        self._marked_in = None
        self.forget_found()

    def beat(self, run: Run, now: float) -> object:
        """Return the part of the time that a run's drawing shows: its seconds, or its age."""
        if run.status not in lifecycle.FINISHED:
            return int(now)
        return formatting.age(now - run.created_at)

    def _moment(self, run: Run) -> RowContext:
        wait = self._wait(run) if run.status is Status.QUEUED else QueuePosition()
        return RowContext(self.now, wait, self._cost, self._view.arrangement.depth_of(run.id))

    def _is_marked(self, found: RunGroup | str) -> bool:
        """Return whether a run is marked, or all runs of a group."""
        marked = self._view.marks.ids
        if isinstance(found, str):
            return found in marked
        if not marked:
            return False
        if self._marked_in is None or self._marked_in[0] is not marked:
            groups = Counter(self._view.arrangement.group_of(one) for one in marked)
            self._marked_in = (marked, groups)
        return self._marked_in[1][found.name] == len(found)

    # Lines

    def line(self, line: int, width: int) -> Strip:
        """Draw the line of one run, or a heading."""
        view = self._view
        found, cursor = view.arrangement[line], line == view.cursor_line
        if isinstance(found, RunGroup):
            return self._heading_row(found, 0, width, cursor)
        parts = self._parts_to_draw(view.arrangement.runs[found], cursor=cursor)
        if len(self._seen) >= MAX_SEEN:
            self._seen.clear()
        self._seen[found] = parts
        key = (found, parts)
        paint = view.paint
        return paint.kept(key) or paint.keep(key, paint.strip(parts, width, cursor=cursor))

    def parts(self, run: Run, *, cursor: bool) -> tuple[Segment, ...]:
        """Return the segments of a run's line."""
        marked, moment = self._is_marked(run.id), self._moment(run)
        return (*self._signs(cursor, marked), *self._cells(run, moment, cursor))

    def _signs(self, cursor: bool, marked: bool) -> Iterator[Segment]:
        """Draw the signs of the cursor and of a mark."""
        paint = self._view.paint
        yield Segment(formatting.sign("▌", "|") if cursor else " ", paint.tone("live"))
        yield Segment(formatting.sign("◆", "*") if marked else " ", paint.tone("warn"))

    def _cells(self, run: Run, moment: RowContext, cursor: bool) -> Iterator[Segment]:
        """Draw the columns of a run that have room."""
        paint = self._view.paint
        for index, (column, cells) in enumerate(self.layout()):
            if index:
                yield Segment(" " * column.gap)
            for text, tone in column.cell(run, moment, cells):
                style = paint.tone(tone)
                if cursor and column.name == "title":
                    style += paint.strong()
                if text:
                    yield Segment(text, style)

    def _parts_to_draw(self, run: Run, *, cursor: bool) -> tuple[Segment, ...]:
        """Return the segments of a line: those by which it was found to have changed.

        The run may have gone on since: then it is in the next batch of events.
        """
        found = self._found.pop(run.id, None)
        look = (cursor, self._is_marked(run.id))
        if found and found.look == look and found.layout is self.layout():
            return found.parts
        return self.parts(run, cursor=cursor)

    def has_changed(self, line: int) -> bool:
        """Return whether a line would be drawn differently now: most events show nothing.

        Drawing a line costs ten times as much as finding that out.
        """
        found = self._view.arrangement[line]
        if self._view.is_tiled or isinstance(found, RunGroup):
            return True
        run, cursor = self._view.arrangement.runs[found], line == self._view.cursor_line
        parts = self.parts(run, cursor=cursor)
        if self._seen.get(found) == parts:
            return False
        look = (cursor, self._is_marked(found))
        self._found[found] = _Found(self.layout(), look, parts)
        return True

    def stale_lines(self, changed: AbstractSet[str]) -> list[int]:
        """Return the visible lines of runs that changed, and of all groups, as far as it shows."""
        lines = self._view.arrangement
        self.forget_found()
        visible = ((line, lines[line]) for line in self._view.visible_lines())
        return [
            line
            for line, found in visible
            if (not isinstance(found, str) or found in changed) and self.has_changed(line)
        ]

    def lines_since(self, before: float) -> list[int]:
        """Return the visible lines that look different now than at an earlier time."""
        lines = self._view.arrangement
        stale: list[int] = []
        for line in self._view.visible_lines():
            found = lines[line]
            if isinstance(found, str):
                run = lines.runs[found]
                if self.beat(run, before) != self.beat(run, self.now) and self.has_changed(line):
                    stale.append(line)
        return stale

    # Tiles

    def tile_row(self, line: int, row: int, width: int) -> Strip:
        """Draw one row of a tile."""
        view = self._view
        found, cursor, tall = view.arrangement[line], line == view.cursor_line, view.tiles.tall
        if tall > 2 and row == tall - 1:
            return Strip.blank(width, view.paint.ground(cursor=False))
        if isinstance(found, RunGroup):
            return self._heading_row(found, row, width, cursor)
        run, marked = view.arrangement.runs[found], self._is_marked(found)
        moment = self._moment(run)
        second = self.beat(run, self.now), moment.wait
        key = (run.id, run.seq, run.overlaps, width, cursor, marked, second, row, tall)
        if (known := view.paint.kept(key)) is not None:
            return known
        lately = self._lately(run.id, self.now, BEATS) if row == 3 else ()
        parts = run_tile.tile_row(run, moment, lately, row, tall, width - MARGIN)
        drawn = self._edged(parts, row, cursor, marked, is_strong=cursor and row == 0)
        return view.paint.keep(key, view.paint.strip(drawn, width, cursor=cursor))

    def _heading_row(self, group: RunGroup, row: int, width: int, cursor: bool) -> Strip:
        lines = self._view.arrangement
        grouping, is_folded = lines.selection.grouping, lines.is_folded(group.name)
        room = width - MARGIN
        if self._view.is_tiled:
            parts = run_heading.tile_row(group, grouping, row, room, is_folded=is_folded)
        else:
            parts = run_heading.line(group, grouping, room, is_folded=is_folded)
        drawn = self._edged(parts, row, cursor, self._is_marked(group), is_strong=True)
        return self._view.paint.strip(drawn, width, cursor=cursor)

    def _edged(
        self, parts: Iterable[Part], row: int, cursor: bool, marked: bool, *, is_strong: bool
    ) -> Iterator[Segment]:
        """Put the signs of the cursor and of a mark before a heading or the row of a tile."""
        paint = self._view.paint
        yield from self._signs(cursor, marked and not row)
        for text, tone in parts:
            style = paint.tone(tone)
            if text:
                yield Segment(text, style + paint.strong() if is_strong else style)
