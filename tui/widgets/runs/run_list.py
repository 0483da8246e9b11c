"""The list of runs, as lines or tiles: drawn while visible, current at any rate of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from engine.domain.model import Run
from tui import commands
from tui.models.grouped_runs import GroupedRuns, RunGroup
from tui.widgets.base.throttle import Throttle
from tui.widgets.runs import run_heading
from tui.widgets.runs.run_columns import (
    DEFAULT_COLUMNS,
    QueuePosition,
)
from tui.widgets.runs.runs_view import RunsView


class RunList(RunsView):
    """Shows an `GroupedRuns`: the screen sorts, filters and groups, the list keeps the place."""

    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("list")

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
    class RunOpened(Message):
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
        wait: Callable[[Run], QueuePosition] | None = None,
        lately: Callable[[str, float, int], Sequence[int]] | None = None,
        empty_text: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(
            columns=columns, clock=clock, wait=wait, lately=lately, empty_text=empty_text, id=id
        )
        self._held: tuple[bool, str] | None = None
        """What the cursor is on: whether it is a heading, and its name or the run's id."""
        self._announced: str | None = None
        self._changed: set[str] = set()
        self._pace = Throttle(self, self._paint_changed)

    # What is shown

    def show(self, arrangement: GroupedRuns) -> None:
        """Show these lines; the cursor stays on its run, where it was on screen.

        Runs that are no longer shown lose their mark: actions apply to what is seen.
        """
        self.arrangement = arrangement
        self.take_note((arrangement.runs[run_id] for run_id in arrangement.ids()), anew=True)
        self._keep_place()

    def update(self, ids: Iterable[str], *, moved: bool) -> None:
        """Take the runs named as they are now, `moved`: as lines that came, went or moved."""
        self._now = self._clock()
        found = [run_id for run_id in ids if run_id in self.arrangement]
        self.take_note(self.arrangement.runs[run_id] for run_id in found)
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
        self.marks.drop_hidden()
        if not (self.line_count and len(self.arrangement)):
            self.refresh()  # the columns' headings come or go
        self.set_lines(len(self.arrangement), cursor=new, top=top)
        self._fit_tiles()
        if not top:
            self.show_line(self.cursor_line)
        self._hold()

    def _line_of_held(self) -> int | None:
        if self._held is None:
            return None
        is_heading, name = self._held
        if not is_heading:
            return self.arrangement.line_of(name)
        line = self.arrangement.heading_of(name)
        if line is None and len(self.arrangement):
            # Onto no run of another group: the next key was meant for the whole of this one.
            near = self.arrangement[min(self.cursor_line, len(self.arrangement) - 1)]
            group = near.name if isinstance(near, RunGroup) else self.arrangement.group_of(near)
            line = self.arrangement.heading_of(group)
        return line

    def _paint_changed(self) -> None:
        changed, self._changed = self._changed, set()
        stale: list[int] = []
        for line in self.visible_lines():
            found = self.arrangement[line]
            if (not isinstance(found, str) or found in changed) and self.looks_other(line):
                stale.append(line)
        self.repaint(*stale)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs shown, in order."""
        return [self.arrangement.runs[run_id] for run_id in self.arrangement.ids()]

    @property
    def cursor_run(self) -> str | None:
        """The id of the run the cursor is on; None on a heading."""
        found = self._found
        return found if isinstance(found, str) else None

    @property
    def cursor_group(self) -> RunGroup | None:
        """The group whose heading the cursor is on."""
        found = self._found
        return found if isinstance(found, RunGroup) else None

    @property
    def _found(self) -> RunGroup | str | None:
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

    # Moving about

    def cursor_moved(self) -> None:
        """Show which run the cursor is on."""
        self.marks.follow_cursor()
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

    def action_mark(self) -> None:
        """Mark the line under the cursor or unmark it, and go to the next."""
        self.marks.toggle()

    def action_mark_range(self) -> None:
        """Mark from here to where the cursor goes; the second time, end the range."""
        self.marks.toggle_range()

    def action_mark_all(self) -> None:
        """Mark everything that is shown."""
        self.marks.mark_all()

    def action_clear_marks(self) -> None:
        """Remove all marks."""
        self.marks.clear()

    def action_open(self) -> None:
        """Open the run under the cursor; fold or unfold the group."""
        if (group := self.cursor_group) is not None:
            self._fold(group.name)
        elif self.cursor_run is not None:
            self.post_message(self.RunOpened(self, self.cursor_run))

    def action_left(self) -> None:
        """Go to the tile on the left; in a list fold the group."""
        if self.tiles.across > 1:
            self.move_cursor(self.cursor_line - 1)
        elif self.arrangement.has_headings and self._held:
            is_heading, name = self._held
            group = name if is_heading else self.arrangement.group_of(name)
            if group not in self.arrangement.folded:
                self._held = (True, group)
                self._fold(group)

    def action_right(self) -> None:
        """Go to the tile on the right; in a list unfold the group."""
        if self.tiles.across > 1:
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
