"""The list of runs: one line each, drawn only while visible, current at any rate of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip

from engine.domain import lifecycle
from engine.domain.model import Run, Status
from engine.domain.projection import View
from tui import commands
from tui.widgets.marked_list import MarkedList
from tui.widgets.pace import Pace
from tui.widgets.run_columns import Column, Moment, Wait, columns_of, lay_out
from tui.widgets.run_line import MARGIN, segments

DEFAULT_COLUMNS = ("status", "title", "progress", "elapsed", "changes")


class RunList(MarkedList):
    """Runs in the order given; the screen sorts and filters, the list keeps the place."""

    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("list")

    @dataclass
    class Highlighted(Message):
        """The cursor is on another run; None where no run is left."""

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

    def __init__(
        self,
        *,
        columns: Sequence[str] = DEFAULT_COLUMNS,
        clock: Callable[[], float] = time.time,
        wait: Callable[[Run], Wait] | None = None,
        title: str = "Runs",
        empty_text: str = "",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(title=title, empty_text=empty_text, name=name, id=id, classes=classes)
        self._columns = columns_of(columns)
        self.marks: set[str] = set()
        self._clock = clock
        self._wait = wait or _no_wait
        self._now = clock()
        self._runs: list[Run] = []
        self._lines: dict[str, int] = {}
        self._filled: set[str] = set()
        self._has_age = any(column.name == "age" for column in self._columns)
        self._layout: tuple[int, list[tuple[Column, int]]] = (0, [])
        self._announced: str | None = None
        self._changed: set[str] = set()
        self._pace = Pace(self, self._paint_changed)

    # What is shown

    def show(self, runs: Sequence[Run]) -> None:
        """Show these runs in this order; the cursor stays on its run, where it was on screen.

        Runs that are no longer shown lose their mark: actions apply to what is seen.
        """
        cursor_id, line = self.cursor_run, self.cursor_line
        top = self.scroll_offset.y
        self._now = self._clock()
        self._runs = list(runs)
        self._lines = {run.id: index for index, run in enumerate(self._runs)}
        new = self._lines.get(cursor_id or "", line)
        if top and new != line:
            top += new - line
        self.drop_hidden_marks()
        self._fill(self._runs, anew=True)
        self.set_lines(len(self._runs), cursor=new, top=top)
        if not top:
            self.show_line(self.cursor_line)
        self._announce()

    def refresh_runs(self, view: View, ids: Iterable[str]) -> None:
        """Take the runs named as they are now and draw again what of them is visible."""
        self._now = self._clock()
        for run_id in ids:
            line, run = self._lines.get(run_id), view.runs.get(run_id)
            if line is not None and run is not None:
                self._runs[line] = run
                self._changed.add(run_id)
                self._fill((run,))
        if self._changed:
            self._pace.ask()

    def _paint_changed(self) -> None:
        changed, self._changed = self._changed, set()
        for line in self.visible_lines():
            if self._runs[line].id in changed:
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
            self.refresh(self.size.region)

    def tick(self, now: float | None = None) -> None:
        """Let the clocks of the visible rows go on; call it once a second."""
        self._now = self._clock() if now is None else now
        if not self.is_on_screen:
            return
        for line in self.visible_lines():
            if self._runs[line].status not in lifecycle.FINISHED or self._has_age:
                self.repaint(line)

    def shown_ids(self) -> Sequence[str]:
        """Give the ids of the runs shown, in order."""
        return list(self._lines)

    @property
    def runs(self) -> Sequence[Run]:
        """The runs shown, in order."""
        return self._runs

    @property
    def cursor_run(self) -> str | None:
        """The id of the run the cursor is on."""
        return self._runs[self.cursor_line].id if self._runs else None

    def move_to(self, run_id: str) -> bool:
        """Put the cursor on a run, and say whether it is in the list."""
        line = self._lines.get(run_id)
        if line is None:
            return False
        self.move_cursor(line)
        return True

    # Moving about

    def cursor_moved(self) -> None:
        """Say which run the cursor is on."""
        super().cursor_moved()
        self._announce()

    def _announce(self) -> None:
        run_id = self.cursor_run
        if run_id != self._announced:
            self._announced = run_id
            self.post_message(self.Highlighted(self, run_id))

    def action_open(self) -> None:
        """Open the run under the cursor."""
        if self.cursor_run is not None:
            self.post_message(self.Opened(self, self.cursor_run))

    def on_click(self, event: events.Click) -> None:
        """Select the row clicked; a double click opens it."""
        line = self.line_at(event)
        if line is None:
            return
        self.move_cursor(line)
        if event.chain == 2:
            self.action_open()

    # Drawing

    def draw(self, line: int, width: int) -> Strip:
        """Draw the row of one run."""
        run = self._runs[line]
        cursor, marked = line == self.cursor_line, run.id in self.marks
        alive = run.status not in lifecycle.FINISHED or self._has_age
        wait = self._wait(run) if run.status is Status.QUEUED else Wait()
        moment = Moment(self._now, wait)
        second = (moment.beat, wait) if alive else None
        key = (run.id, run.seq, run.overlaps, width, cursor, marked, second)
        return self.kept(key) or self.keep(key, self._row(run, moment, width, cursor, marked))

    def _row(self, run: Run, moment: Moment, width: int, cursor: bool, marked: bool) -> Strip:
        if self._layout[0] != width:
            columns = [column for column in self._columns if column.name in self._filled]
            self._layout = (width, lay_out(columns, width - MARGIN))
        parts = segments(self, self._layout[1], run, moment, cursor=cursor, marked=marked)
        return self.strip(parts, width, cursor=cursor)


def _no_wait(run: Run) -> Wait:
    del run
    return Wait()
