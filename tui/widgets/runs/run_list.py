"""The list of runs, as lines or tiles: drawn while visible, current at any rate of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.strip import Strip

from engine.domain.cost import RunCost, no_cost
from engine.domain.model import Run
from tui import commands
from tui.models.grouped_runs import GroupedRuns, RunGroup
from tui.models.list_options import ListOptions
from tui.widgets.base.marks import MarkableView, Marks
from tui.widgets.base.throttle import Throttle
from tui.widgets.runs import run_heading, run_tile
from tui.widgets.runs.list_cursor import ListCursor
from tui.widgets.runs.run_activity import QueuePosition
from tui.widgets.runs.run_columns import DEFAULT_COLUMNS
from tui.widgets.runs.run_messages import HeadClicked, RunOpened
from tui.widgets.runs.run_painter import Lately, RunPainter, Wait


def _no_wait(run: Run) -> QueuePosition:
    del run
    return QueuePosition()


def _nothing_known(run_id: str, now: float, count: int) -> Sequence[int]:
    del run_id, now, count
    return ()


class RunList(MarkableView):
    """The lines of a `GroupedRuns`: the screen sorts and filters, the list keeps the place."""

    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("list")
    DEFAULT_CSS = """
    RunList { padding: 1 0 0 0; &.-tiles { padding: 0; } }
    """

    def __init__(
        self,
        *,
        columns: Sequence[str] = DEFAULT_COLUMNS,
        clock: Callable[[], float] = time.time,
        wait: Wait = _no_wait,
        lately: Lately = _nothing_known,
        cost: RunCost = no_cost,
        empty_text: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(title="Runs", empty_text=empty_text, id=id)
        self.arrangement = GroupedRuns(ListOptions(), {})
        self.marks = Marks(self, lambda: self.arrangement, lambda run: self.arrangement.awaits(run))
        self.painter = RunPainter(self, columns, wait, lately, cost)
        self.painter.now = clock()
        self._clock = clock
        self._held = ListCursor(self)
        self._changed: set[str] = set()
        self._pace = Throttle(self, self._paint_changed)

    # Lines

    def show(self, arrangement: GroupedRuns) -> None:
        """Show these lines; the cursor stays on its run, where it was on screen.

        Runs that are no longer shown lose their mark: actions apply to visible runs.
        """
        self.arrangement = arrangement
        runs = (arrangement.runs[run_id] for run_id in arrangement.ids())
        if self.painter.fill_columns(runs, again=True, is_part=arrangement.is_part):
            self._draw_again()
        self._keep_place()

    def show_more(self, runs: Iterable[Run]) -> None:
        """Show the same lines with more runs among them."""
        if self.painter.fill_columns(runs, is_part=self.arrangement.is_part):
            self._draw_again()
        self._keep_place()

    def update(self, ids: Iterable[str], *, moved: bool) -> None:
        """Update the runs named; `moved`: lines came, went or moved."""
        self.painter.now = self._clock()
        found = [run_id for run_id in ids if run_id in self.arrangement]
        if self.painter.fill_columns(self.arrangement.runs[run_id] for run_id in found):
            self._draw_again()
        if moved:
            self._keep_place()
        elif found:
            self._changed.update(found)
            self._pace.ask()

    def _draw_again(self) -> None:
        self.paint.forget_strips()
        self.refresh()

    def _keep_place(self) -> None:
        """Show the arrangement as it is now; the cursor stays on its run."""
        self.painter.now = self._clock()
        self.painter.forget_marks()
        old, top = self.cursor_line, self.scroll_offset.y
        found = self._held.line()
        new = max(0, min(old if found is None else found, len(self.arrangement) - 1))
        if top:
            top += self.region_of(new).y - self.region_of(old).y
        self.marks.drop_hidden()
        if not (self.line_count and len(self.arrangement)):
            self.refresh()  # the columns' headings come or go
        self.set_lines(len(self.arrangement), cursor=new, top=top)
        self._fit_tiles()
        if not top:
            self.show_line(self.cursor_line)
        if found is not None or not self._held.is_awaited:
            self._held.hold()

    def _paint_changed(self) -> None:
        changed, self._changed = self._changed, set()
        self.repaint(*self.painter.stale_lines(changed))

    def tick(self, now: float | None = None) -> None:
        """Advance the clocks of the visible runs; call it once a second."""
        before, self.painter.now = self.painter.now, self._clock() if now is None else now
        if self.is_on_screen:
            self.repaint(*self.painter.lines_since(before))

    @property
    def runs(self) -> Sequence[Run]:
        """Return the runs shown, in order."""
        return [self.arrangement.runs[run_id] for run_id in self.arrangement.ids()]

    # Tiles

    @property
    def is_tiled(self) -> bool:
        """Return whether runs are shown as tiles."""
        return self.has_class("-tiles")

    def show_tiles(self, is_tiled: bool) -> None:
        """Show runs as tiles, or as lines."""
        self.set_class(is_tiled, "-tiles")
        self._fit_tiles()

    def styles_changed(self) -> None:
        """Draw the runs in the new styles."""
        self.painter.forget_found()

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

    def frame_line(self, y: int) -> Strip:
        """Draw a line of the frame; the columns' headings stand above the list."""
        if self.is_tiled or not self.line_count or y != self.styles.gutter.top - 1:
            return super().frame_line(y)
        return self.painted.framed(self.painter.heads(), self.region.width)

    def draw(self, line: int, width: int) -> Strip:
        """Draw the line of one run, or a heading."""
        return self.painter.line(line, width)

    def draw_row(self, line: int, row: int, width: int) -> Strip:
        """Draw one row of a tile."""
        return self.painter.tile_row(line, row, width)

    # Cursor, marks and folds

    @property
    def cursor_run(self) -> str | None:
        """Return the id of the run under the cursor; None on a heading."""
        return self._held.run

    @property
    def cursor_group(self) -> RunGroup | None:
        """Return the group whose heading is under the cursor."""
        return self._held.group

    def move_to(self, run_id: str) -> bool:
        """Put the cursor on a run; return whether it is in the list."""
        if run_id not in self.arrangement:
            return False
        group = self.arrangement.group_of(run_id)
        if self.arrangement.is_folded(group):
            self._fold(group)
        self.move_cursor(self.arrangement.line_of(run_id) or 0)
        return True

    def cursor_moved(self) -> None:
        """Show the run under the cursor."""
        self.marks.follow_cursor()
        self._held.hold()

    def action_open(self) -> None:
        """Open the run under the cursor; fold or unfold the group."""
        if (group := self.cursor_group) is not None:
            self._fold(group.name)
        elif self.cursor_run is not None:
            self.post_message(RunOpened(self, self.cursor_run))

    def action_left(self) -> None:
        """Go to the tile on the left; in a list fold the group."""
        group = self._held.group_name
        if self.tiles.across > 1:
            self.move_cursor(self.cursor_line - 1)
        elif group is not None and not self.arrangement.is_folded(group):
            self._held.hold_heading(group)
            self._fold(group)

    def action_right(self) -> None:
        """Go to the tile on the right; in a list unfold the group."""
        group = self._held.group_name
        if self.tiles.across > 1:
            self.move_cursor(self.cursor_line + 1)
        elif group is not None and self.arrangement.is_folded(group):
            self._fold(group)

    def _fold(self, name: str) -> None:
        self.arrangement.fold(name)
        self._keep_place()

    def on_click(self, event: events.Click) -> None:
        """Select the run clicked; a double click opens it. A column's heading sorts by it."""
        line = self.line_at(event)
        if line is not None:
            self.move_cursor(line)
            if event.chain == 2:
                self.action_open()
        elif event.y == self.styles.gutter.top - 1 and not self.is_tiled:
            x = event.x - self.styles.gutter.left
            if column := run_heading.column_at(self.painter.layout(), x):
                self.post_message(HeadClicked(column))
