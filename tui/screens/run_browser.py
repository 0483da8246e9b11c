"""The runs of a screen as the user wants them: filtered, sorted, marked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from engine.domain.attention import is_asking, to_review
from engine.domain.hosts import is_remote
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import Grouping, ListOptions, SortOrder
from tui.screens.live import CodeRequested, InboxRequested

if TYPE_CHECKING:
    from tui.models.review_queue import ReviewQueue
    from tui.screens.runs import RunsScreen
    from tui.widgets.runs.panes import Panes

AT_ONCE = 1_000
"""Runs that are arranged in one go; of more, the others in slices."""
A_FEW = 250
SLICE_S, PAUSE_S = 0.008, 0.003
"""Length of a slice, and the pause in which keys are read: a key takes several steps."""
SHOWN_S = 0.25
"""Time after which the runs found so far are shown."""
LOOKING = "Looking for runs …"
NO_MATCH = "No run matches: esc shows all."
NO_MATCH_NEEDS_YOU = "No run that needs you matches: esc clears the filter."
NO_MATCH_FAILED = "No failed run matches: esc clears the filter."
NONE_FAILED = "No run has failed: C shows all."
NO_FAILED_NEEDS_YOU = "No failed run needs you: w shows all that failed."
NONE_NEEDS_YOU = "Nothing needs you: w shows all."
TO_REVIEW = "Nothing needs you; {count} for a review: /is:review. w shows all."


class RunBrowser:
    """The order, the filter and the marks of the run list of a screen."""

    def __init__(self, screen: RunsScreen) -> None:
        self._screen = screen
        self._runs = screen.engine.view.runs
        self.options = ListOptions()
        self._lines = GroupedRuns(self.options, {})  # the screen arranges all when it is shown
        self._expected: str | None = None

    @property
    def _panes(self) -> Panes:
        return self._screen.panes

    # Chosen runs

    @property
    def run(self) -> Run | None:
        """Return the chosen run as it is now."""
        return self._runs.get(self._panes.run_list.cursor_run or "")

    def marked(self) -> Sequence[Run]:
        """Return the marked runs as they are now, in no order."""
        return [self._runs[run_id] for run_id in self._panes.run_list.marks.ids]

    def headed(self) -> Sequence[Run]:
        """Return the runs under the heading that the cursor is on, in order."""
        group = self._panes.run_list.cursor_group
        if group is None:
            return []
        return [self._runs[run_id] for run_id in self._lines.ids_of(group)]

    @property
    def several(self) -> int:
        """Return the number of marked runs, or of those under the heading."""
        group = self._panes.run_list.cursor_group
        return len(self._panes.run_list.marks.ids) or (len(group) if group else 0)

    def have_any(self, statuses: AbstractSet[Status]) -> bool:
        """Return whether one of several runs has one of these statuses, at any number of them."""
        group, marked = self._panes.run_list.cursor_group, self._panes.run_list.marks.ids
        if marked or group is None:
            return any(self._runs[run_id].status in statuses for run_id in marked)
        return any(group.statuses[status] for status in statuses)

    @property
    def batch(self) -> str | None:
        """Return the batch of the chosen run, or of all runs under the heading."""
        if self.run:
            return self.run.spec.batch
        group = self._panes.run_list.cursor_group
        ids = self._lines.each_of(group) if group else iter(())
        batch = next((self._runs[run_id].spec.batch for run_id in ids), None)
        # Under a long heading, the first that differs ends it.
        is_same = batch and all(self._runs[run_id].spec.batch == batch for run_id in ids)
        return batch if is_same else None

    def place(self, run: Run) -> int:
        """Return the line of a run."""
        return self._lines.line_of(run.id) or 0

    def open_run(self) -> None:
        """Review a run that has ended, answer one that asks, else go to the log."""
        run = self.run
        if run and is_asking(run):
            self._screen.post_message(InboxRequested(run.id))
        elif run and run.status in FINISHED and run.workspace and not run.in_trash:
            self._screen.post_message(self._review(run.id))
        else:
            self._panes.go("log")

    def follow_on(self, runs: Sequence[Run]) -> Callable[[], None]:
        """Return a function that goes on to the next run, as soon as these runs are put aside."""
        run_list = self._panes.run_list
        ids = {run.id for run in runs}
        is_marked, start = bool(self.marked()), run_list.cursor_run
        lines = range(run_list.cursor_line + 1, len(self._lines))
        after = (line for at in lines if isinstance(line := self._lines[at], str))
        following = next((one for one in after if one not in ids), None)

        def go_on() -> None:
            if is_marked:
                self.unmark()
            elif start in ids and following and run_list.cursor_run in (start, None):
                run_list.move_to(following)

        return go_on

    def review(self) -> None:
        """Review the chosen run, or the first one that is marked or under the heading."""
        if first := self._first_to_review():
            self._screen.post_message(self._review(first))

    def review_file(self, run_id: str, path: str) -> None:
        """Review a run, beginning with one of its files."""
        self._screen.post_message(replace(self._review(run_id), path=path))

    def _review(self, run_id: str) -> CodeRequested:
        return CodeRequested("changes", run_id, queue=self._review_queue())

    def _several(self) -> list[str]:
        """Return the marked runs, or those under the heading, in order."""
        marks = self._panes.run_list.marks.ids
        return [one for one in self._lines.ids() if one in marks] or [
            run.id for run in self.headed()
        ]

    def _first_to_review(self) -> str | None:
        several = self._several()
        if self.run and (not several or self.run.id in several):
            return self.run.id
        return next((one for one in several if self._runs[one].workspace), None)

    def _review_queue(self) -> ReviewQueue:
        from tui.models.review_queue import ReviewQueue

        self.finish()
        order, several = list(self._lines.ids()), self._several()
        if several:
            return ReviewQueue.of_chosen(self._runs, order, several)
        return ReviewQueue.of_list(self._runs, order, self.options.test())

    def unmark(self) -> None:
        """Remove all marks."""
        self._panes.run_list.marks.clear()

    # Order

    def update(self, ids: set[str]) -> None:
        """Show the runs named as they are now, at the cost of those that changed."""
        moved = self._lines.update(ids, self._screen.clock())
        self._panes.run_list.update(ids, moved=moved)
        if moved:
            self.describe()

    def tick(self) -> None:
        """Sort the active runs again where the order depends on the time."""
        if self.options.sort is SortOrder.ELAPSED:
            self.update({run.id for run in self._screen.engine.view.active()})

    def rearrange(self) -> None:
        """Filter, sort and group all runs again."""
        before = self._lines
        is_same = before.selection.grouping is self.options.grouping
        now, cost = self._screen.clock(), self._panes.cost
        options, runs, cursor = self.options, self._runs, self._panes.run_list.cursor_run
        self._lines = (
            GroupedRuns(options, runs, now, before.folded, cost, before, AT_ONCE, cursor)
            if is_same
            else GroupedRuns(options, runs, now, cost=cost, most=AT_ONCE, cursor=cursor)
        )
        self._panes.run_list.show(self._lines)
        self.describe()
        if not self._lines.is_whole:
            self._screen.run_worker(self._arrange_rest, group="arrange", exclusive=True)

    async def _arrange_rest(self) -> None:
        """Arrange the runs that are left in slices: keys are read between."""
        lines, more = self._lines, list[Run]()
        shown_at = monotonic()
        while not lines.is_whole:
            until = monotonic() + SLICE_S
            more += lines.add_more(A_FEW)
            while monotonic() < until and not lines.is_whole:
                more += lines.add_more(A_FEW)
            if lines.is_whole or monotonic() - shown_at > SHOWN_S:
                self._show_more(more)
                more, shown_at = [], monotonic()
            await asyncio.sleep(PAUSE_S)
            if lines is not self._lines:
                return  # another order was asked for

    def _show_more(self, runs: Sequence[Run]) -> None:
        self._panes.run_list.show_more(runs)
        self.describe()
        self.meet_expected()

    def finish(self) -> None:
        """Arrange the runs that are left at once, for what needs all of them."""
        if not self._lines.is_whole:
            self._show_more(self._lines.add_more(len(self._runs)))

    def describe(self) -> None:
        """Show the choice of runs and the number of marks in words."""
        run_list = self._panes.run_list
        self._panes.show_card(not self._runs)
        shown = self._lines.run_count
        if not shown:  # all runs are looked at for that
            run_list.empty_text = self._why_empty() if self._lines.is_whole else LOOKING
        state = self.options.describe(shown, shown if self.options.is_all else len(self._runs))
        if run_list.marks.ids:
            state = f"{state} · {len(run_list.marks.ids)} marked"
        if not self._lines.is_whole:
            state = f"{state} · looking for more"
        run_list.set_title(state)
        self._screen.tabs.note(state)

    def _why_empty(self) -> str:
        options = self.options
        if options.text.strip():
            if options.needs_you:
                return NO_MATCH_NEEDS_YOU
            return NO_MATCH_FAILED if options.is_triage else NO_MATCH
        if not options.is_triage:
            return self._none_needs_you()
        return NO_FAILED_NEEDS_YOU if options.needs_you else NONE_FAILED

    def _none_needs_you(self) -> str:
        waiting = sum(map(to_review, self._runs.values()))
        if not waiting:
            return NONE_NEEDS_YOU
        return TO_REVIEW.format(count="1 run waits" if waiting == 1 else f"{waiting} runs wait")

    # Other runs

    def expect(self, run_id: str) -> None:
        """Choose a run as soon as the list has it."""
        self._expected = run_id
        self.meet_expected()

    def meet_expected(self) -> None:
        """Choose the expected run, if it is there."""
        if self._expected and self._panes.run_list.move_to(self._expected):
            self._expected = None

    def reveal(self, run_id: str) -> None:
        """Choose a run, in the list of all runs where the present one hides it."""
        if not self._panes.run_list.move_to(run_id):
            self.clear_filter()
            self.select(replace(self.options, needs_you=False, grouping=Grouping.NONE))
            self._move_to(run_id)

    def find(self, run_id: str) -> None:
        """Choose a run, in the list of all runs in the usual order where the present hides it."""
        if not self._panes.run_list.move_to(run_id):
            self.select(ListOptions())
            self.clear_filter()
            self._move_to(run_id)

    def _move_to(self, run_id: str) -> None:
        if not self._panes.run_list.move_to(run_id):
            self.finish()
            self._panes.run_list.move_to(run_id)

    # Options

    def select(self, options: ListOptions) -> None:
        """Show other runs, or the same in another order."""
        self.options = options
        self._screen.rearrange()

    @property
    def is_narrowed(self) -> bool:
        """Return whether a filter or the causes of failures hide runs."""
        filtered = self._panes.filter_input.is_open or self.options.text
        return bool(filtered) or self.options.is_triage

    def clear_filter(self) -> bool:
        """Remove the filter; return whether there was one."""
        had_one = bool(self._panes.filter_input.is_open or self.options.text)
        self._panes.filter_input.clear()
        self.select(replace(self.options, text=""))
        self._panes.close_filter()
        return had_one

    def filter(self, text: str) -> None:
        """Show the runs that match a filter."""
        if text != self.options.text:
            self.select(replace(self.options, text=text))

    def show_filtered(self, text: str) -> None:
        """Show the runs that match a filter, whatever hid some of them."""
        self.select(ListOptions(text=text))
        self._panes.filter_input.fill(text)
        self._panes.close_filter()

    def leave_view(self) -> None:
        """Go back from the causes of failures, or from the tiles, to the list of all runs."""
        if self.options.is_triage:
            self.toggle_triage()
        elif self._panes.is_fleet:
            self._panes.show_fleet(False)

    def toggle_needs_you(self) -> None:
        """Show only the runs that need the user, or all."""
        self.select(replace(self.options, needs_you=not self.options.needs_you))

    def sort(self) -> None:
        """Sort by the next column."""
        self.select(self.options.next_sort(self._panes.run_list.painter.columns))

    def reverse(self) -> None:
        """Reverse the order."""
        self.select(replace(self.options, is_reversed=not self.options.is_reversed))

    def group(self) -> None:
        """Group by the next property, or not at all."""
        has_tags = any(run.tags for run in self._runs.values())
        has_nodes = any(map(is_remote, self._runs.values()))
        self.select(self.options.next_grouping(has_tags=has_tags, has_nodes=has_nodes))

    def toggle_triage(self) -> None:
        """Show failed runs by cause, or all runs."""
        grouping = Grouping.NONE if self.options.is_triage else Grouping.CAUSE
        self.select(replace(self.options, grouping=grouping))
