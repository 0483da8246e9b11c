"""The list of runs, as lines or tiles: drawn while visible, current at any rate of events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from engine.domain import lifecycle
from engine.domain.model import Run, Status
from tui import commands, show
from tui.arrangement import Arrangement, Group
from tui.selection import Selection
from tui.widgets import run_heading, run_tile
from tui.widgets.marked_list import MarkedList
from tui.widgets.pace import Pace
from tui.widgets.run_columns import (
    DEFAULT_COLUMNS,
    Column,
    Moment,
    Part,
    Wait,
    columns_of,
    lay_out,
)
from tui.widgets.run_line import MARGIN, segments

BEATS = 32
"""The stretches of time that a sparkline shows at most."""


class RunList(MarkedList):
    """Shows an `Arrangement`: the screen sorts, filters and groups, the list keeps the place."""

    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("list")
    DEFAULT_CSS = """
    RunList { padding: 1 0 0 0; &.-tiles { padding: 0; } }
    """

    @dataclass
    class Highlighted(Message):
        """The cursor is on another run; None where it is on none."""

        run_list: RunList
        run_id: str | None

        @property
        def control(self) -> RunList:
            """The list."""
            return self.run_list

    @dataclass
    class Opened(Message):
        """The user opened a run."""

        run_list: RunList
        run_id: str

        @property
        def control(self) -> RunList:
            """The list."""
            return self.run_list

    @dataclass
    class HeadClicked(Message):
        """A column's heading was clicked."""

        column: str

    def __init__(
        self,
        *,
        columns: Sequence[str] = DEFAULT_COLUMNS,
        clock: Callable[[], float] = time.time,
        wait: Callable[[Run], Wait] | None = None,
        lately: Callable[[str, float, int], Sequence[int]] | None = None,
        title: str = "Runs",
        empty_text: str = "",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, empty_text=empty_text, name=name, id=id, classes=classes)
        self._columns = columns_of(columns)
        self.marks: set[str] = set()
        self.arrangement = Arrangement(Selection(), {})
        self._clock = clock
        self._wait = wait or _no_wait
        self._lately = lately or _nothing_known
        self._now = clock()
        self._held: tuple[bool, str] | None = None
        """What the cursor is on: whether it is a heading, and its name or the run's id."""
        self._filled: set[str] = set()
        self._layout: tuple[int, list[tuple[Column, int]]] = (0, [])
        self._announced: str | None = None
        self._changed: set[str] = set()
        self._pace = Pace(self, self._paint_changed)
        self._marked_in: Counter[str] | None = None

    # What is shown

    def show(self, arrangement: Arrangement) -> None:
        """Show these lines; the cursor stays on its run, where it was on screen.

        Runs that are no longer shown lose their mark: actions apply to what is seen.
        """
        self.arrangement = arrangement
        self._fill((arrangement.runs[run_id] for run_id in arrangement.ids()), anew=True)
        self._keep_place()

    def update(self, ids: Iterable[str], *, moved: bool) -> None:
        """Take the runs named as they are now, `moved`: as lines that came, went or moved."""
        self._now = self._clock()
        found = [run_id for run_id in ids if run_id in self.arrangement]
        self._fill(self.arrangement.runs[run_id] for run_id in found)
        if moved:
            self._keep_place()
        elif found:
            self._changed.update(found)
            self._pace.ask()

    def _keep_place(self) -> None:
        """Show the arrangement as it is now; the cursor stays on what it was on."""
        self._now = self._clock()
        self._marked_in = None
        old, top = self.cursor_line, self.scroll_offset.y
        found = self._line_of_held()
        new = max(0, min(old if found is None else found, len(self.arrangement) - 1))
        if top:
            top += self.region_of(new).y - self.region_of(old).y
        self.drop_hidden_marks()
        self.set_lines(len(self.arrangement), cursor=new, top=top)
        self._fit_tiles()
        if not top:
            self.show_line(self.cursor_line)
        self._hold()

    def _line_of_held(self) -> int | None:
        if self._held is None:
            return None
        is_heading, name = self._held
        find = self.arrangement.heading_of if is_heading else self.arrangement.line_of
        return find(name)

    def _paint_changed(self) -> None:
        changed, self._changed = self._changed, set()
        for line in self.visible_lines():
            found = self.arrangement[line]
            if not isinstance(found, str) or found in changed:
                self.repaint(line)

    def _fill(self, runs: Iterable[Run], *, anew: bool = False) -> None:
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
            self.forget_strips()
            self.refresh()

    def tick(self, now: float | None = None) -> None:
        """Let the clocks of the visible runs go on; call it once a second."""
        before, self._now = self._now, self._clock() if now is None else now
        if not self.is_on_screen:
            return
        for line in self.visible_lines():
            found = self.arrangement[line]
            if isinstance(found, str):
                run = self.arrangement.runs[found]
                if self._beat(run, before) != self._beat(run, self._now):
                    self.repaint(line)

    def _beat(self, run: Run, now: float) -> object:
        """Give what of the time shows in a run's drawing: each second, or how old it is."""
        return int(now) if run.status not in lifecycle.FINISHED else show.age(now - run.created_at)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs shown, in order."""
        return [self.arrangement.runs[run_id] for run_id in self.arrangement.ids()]

    @property
    def columns(self) -> Sequence[str]:
        """The columns that have room now, in order."""
        return [column.name for column, _ in self._laid_out(self._width)]

    @property
    def cursor_run(self) -> str | None:
        """The id of the run the cursor is on; None on a heading."""
        found = self._found
        return found if isinstance(found, str) else None

    @property
    def cursor_group(self) -> Group | None:
        """The group whose heading the cursor is on."""
        found = self._found
        return found if isinstance(found, Group) else None

    @property
    def _found(self) -> Group | str | None:
        return self.arrangement[self.cursor_line] if len(self.arrangement) else None

    def move_to(self, run_id: str) -> bool:
        """Put the cursor on a run, and say whether it is in the list."""
        if run_id not in self.arrangement:
            return False
        group = self.arrangement.group_of(run_id)
        if self.arrangement.has_headings and group in self.arrangement.folded:
            self._fold(group)
        self.move_cursor(self.arrangement.line_of(run_id) or 0)
        return True

    # What marks are about

    def ids_at(self, line: int) -> Sequence[str]:
        """Give the run on a line, or those under the heading there."""
        return self.arrangement.ids_at(line)

    def all_ids(self) -> Iterable[str]:
        """Give all runs that are shown."""
        return self.arrangement.ids()

    def is_shown(self, one: str) -> bool:
        """Say whether a run is shown, be it under a heading that is folded."""
        return one in self.arrangement

    def line_of(self, one: str) -> int | None:
        """Give the line of a run."""
        return self.arrangement.line_of(one)

    def set_marks(self, ids: Iterable[str]) -> None:
        """Mark exactly these, as far as they are shown."""
        self._marked_in = None
        super().set_marks(ids)

    def _is_marked(self, found: Group | str) -> bool:
        """Say whether a run is marked, or all runs of a group."""
        if isinstance(found, str):
            return found in self.marks
        if not self.marks:
            return False
        if self._marked_in is None:
            self._marked_in = Counter(self.arrangement.group_of(one) for one in self.marks)
        return self._marked_in[found.name] == len(found)

    # Moving about

    def cursor_moved(self) -> None:
        """Say which run the cursor is on."""
        super().cursor_moved()
        self._hold()

    def _hold(self) -> None:
        found = self._found
        self._held = (
            None
            if found is None
            else (False, found)
            if isinstance(found, str)
            else (True, found.name)
        )
        if self.cursor_run != self._announced:
            self._announced = self.cursor_run
            self.post_message(self.Highlighted(self, self.cursor_run))

    def action_open(self) -> None:
        """Open the run under the cursor; fold or unfold the group."""
        if (group := self.cursor_group) is not None:
            self._fold(group.name)
        elif self.cursor_run is not None:
            self.post_message(self.Opened(self, self.cursor_run))

    def action_left(self) -> None:
        """Go to the tile on the left; in a list fold the group."""
        if self.across > 1:
            self.move_cursor(self.cursor_line - 1)
        elif self.arrangement.has_headings and self._held:
            is_heading, name = self._held
            group = name if is_heading else self.arrangement.group_of(name)
            if group not in self.arrangement.folded:
                self._held = (True, group)
                self._fold(group)

    def action_right(self) -> None:
        """Go to the tile on the right; in a list unfold the group."""
        if self.across > 1:
            self.move_cursor(self.cursor_line + 1)
        elif (group := self.cursor_group) and group.name in self.arrangement.folded:
            self._fold(group.name)

    def _fold(self, name: str) -> None:
        self.arrangement.fold(name)
        self._keep_place()

    def on_click(self, event: events.Click) -> None:
        """Select the run clicked; a double click opens it. A column's heading sorts by it."""
        line = self.line_at(event)
        if line is None:
            if event.y == self.styles.gutter.top - 1 and not self.is_tiled:
                x = event.x - self.styles.gutter.left
                column = run_heading.column_at(self._laid_out(self._width), x)
                if column:
                    self.post_message(self.HeadClicked(column))
            return
        self.move_cursor(line)
        if event.chain == 2:
            self.action_open()

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
        self.set_grid(*grid)

    # Drawing

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _laid_out(self, width: int) -> list[tuple[Column, int]]:
        if self._layout[0] != width:
            columns = [column for column in self._columns if column.name in self._filled]
            self._layout = (width, lay_out(columns or self._columns, width - MARGIN))
        return self._layout[1]

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give the lines of a region; the columns' headings stand above the list."""
        strips = super().render_lines(crop)
        gutter, size = self.styles.gutter, self.region.size
        y = gutter.top - 1 - crop.y
        if self.is_tiled or not 0 <= y < len(strips) or size.height <= gutter.height:
            return strips
        width = self._width
        heads = run_heading.column_heads(self, self._laid_out(width), self.arrangement.selection)
        strips[y] = self.framed(self.strip(heads, width), size.width).crop(*crop.column_span)
        return strips

    def draw(self, line: int, width: int) -> Strip:
        """Draw the line of one run, or a heading."""
        found = self.arrangement[line]
        cursor, marked = line == self.cursor_line, self._is_marked(found)
        if isinstance(found, Group):
            return self.strip(self._heading(found, 0, width, cursor, marked), width, cursor=cursor)
        run = self.arrangement.runs[found]
        moment, second = self._moment(run)
        key = (run.id, run.seq, width, cursor, marked, second)
        return self.kept(key) or self.keep(key, self._row(run, moment, width, cursor, marked))

    def _moment(self, run: Run) -> tuple[Moment, object]:
        """Give what a run's drawing depends on besides the run, and a key for it."""
        wait = self._wait(run) if run.status is Status.QUEUED else Wait()
        moment = Moment(self._now, wait)
        return moment, (self._beat(run, self._now), wait)

    def _row(self, run: Run, moment: Moment, width: int, cursor: bool, marked: bool) -> Strip:
        columns = self._laid_out(width)
        parts = segments(self, columns, run, moment, cursor=cursor, marked=marked)
        return self.strip(parts, width, cursor=cursor)

    def _heading(
        self, group: Group, row: int, width: int, cursor: bool, marked: bool
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
        if self.tall > 2 and row == self.tall - 1:
            return Strip.blank(width, self.ground(cursor=False))
        if isinstance(found, Group):
            return self.strip(
                self._heading(found, row, width, cursor, marked), width, cursor=cursor
            )
        run = self.arrangement.runs[found]
        moment, second = self._moment(run)
        key = (run.id, run.seq, width, cursor, marked, second, row, self.tall)
        if (known := self.kept(key)) is not None:
            return known
        lately = self._lately(run.id, self._now, BEATS) if row == 3 else ()
        parts = run_tile.tile_row(run, moment, lately, row, self.tall, width - MARGIN)
        drawn = self._edged(parts, row, cursor, marked, is_strong=cursor and row == 0)
        return self.keep(key, self.strip(drawn, width, cursor=cursor))

    def _edged(
        self, parts: Iterable[Part], row: int, cursor: bool, marked: bool, *, is_strong: bool
    ) -> Iterator[Segment]:
        """Put the cursor's and the mark's sign before what a line or a tile says."""
        yield Segment(show.sign("▌", "|") if cursor else " ", self.look("live"))
        yield Segment(show.sign("◆", "*") if marked and not row else " ", self.look("warn"))
        for text, tone in parts:
            style = self.look(tone)
            if text:
                yield Segment(text, style + self.strong() if is_strong else style)


def _no_wait(run: Run) -> Wait:
    del run
    return Wait()


def _nothing_known(run_id: str, now: float, count: int) -> Sequence[int]:
    del run_id, now, count
    return ()
