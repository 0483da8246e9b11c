"""The list of runs as the user wants it: filtered, sorted, on the run that is expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import getters, on
from textual.widgets import Input

from engine.domain.errors import UserError
from engine.domain.model import Run
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import Grouping, ListOptions, SortOrder
from tui.screens.run_actions import RunActions
from tui.widgets.base.marks import MarksChanged
from tui.widgets.base.pane_tabs import PaneTabs
from tui.widgets.runs.panes import Panes
from tui.widgets.runs.run_list import RunList

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

NO_RUNS = "No runs yet: n starts one, `swarm-tui demo` shows some."
STAND_IN = "Or press n and choose the simulated agent."
NO_MATCH = "No run matches: esc shows all."
NONE_FAILED = "No run has failed: C shows all."
NONE_NEEDS_ME = "Nothing needs you: w shows all."


class RunBrowser(RunActions):
    """A screen with a list of runs, of which it keeps order and marks."""

    tabs = getters.query_one(PaneTabs)
    panes = getters.query_one(Panes)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._selection = ListOptions()
        self._arrangement = GroupedRuns(self._selection, engine.view.runs)
        self._expected: str | None = None
        self._trouble = ""

    @property
    def run(self) -> Run | None:
        """The chosen run as it is now."""
        return self.engine.view.runs.get(self.panes.run_list.cursor_run or "")

    def marked(self) -> Sequence[Run]:
        """Give the marked runs as they are now, in no order."""
        return [self.engine.view.runs[run_id] for run_id in self.panes.run_list.marks.ids]

    def headed(self) -> Sequence[Run]:
        """Give the runs under the heading that the cursor is on, in order."""
        group = self.panes.run_list.cursor_group
        return (
            []
            if group is None
            else [self.engine.view.runs[run_id] for run_id in self._arrangement.ids_of(group)]
        )

    @property
    def chosen_batch(self) -> str | None:
        """The batch that the chosen run is of, or those under the heading are."""
        batches = {run.spec.batch for run in ([self.run] if self.run else self.headed())}
        return batches.pop() if len(batches) == 1 else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Grey the batch where there is none."""
        if action == "batch":
            return True if self.chosen_batch else None
        return super().check_action(action, parameters)

    def place(self, run: Run) -> int:
        """Give the line of a run."""
        return self._arrangement.line_of(run.id) or 0

    def unmark(self) -> None:
        """Take the marks away."""
        self.panes.run_list.marks.clear()

    @on(MarksChanged)
    def _marks_changed(self) -> None:
        self._describe()
        self.refresh_bindings()

    # Order

    def update_list(self, ids: set[str]) -> None:
        """Show the runs named as they are now, at the cost of what changed."""
        moved = self._arrangement.update(ids, self.clock())
        self.panes.run_list.update(ids, moved=moved)
        if moved:
            self._describe()

    def tick(self) -> None:
        """Let the clocks go on, and the order with them where it depends on the time."""
        super().tick()
        if self._selection.sort is SortOrder.ELAPSED:
            self.update_list({run.id for run in self.engine.view.active()})

    def rearrange(self) -> None:
        """Filter, sort and group anew."""
        before = self._arrangement
        is_same = before.selection.grouping is self._selection.grouping
        folded = before.folded if is_same else ()
        self._arrangement = GroupedRuns(
            self._selection, self.engine.view.runs, self.clock(), folded
        )
        self.panes.run_list.show(self._arrangement)
        self._describe()

    def _describe(self) -> None:
        run_list = self.panes.run_list
        run_list.empty_text = self._why_empty()
        shown, total = self._arrangement.run_count, len(self.engine.view.runs)
        state = self._selection.describe(shown, total)
        if run_list.marks.ids:
            state = f"{state} · {len(run_list.marks.ids)} marked"
        run_list.set_title(state)
        self.tabs.note(state)

    def _why_empty(self) -> str:
        if not self.engine.view.runs:
            return self._trouble or NO_RUNS
        if self._selection.text.strip():
            return NO_MATCH
        return NONE_FAILED if self._selection.is_triage else NONE_NEEDS_ME

    async def look_for_codex(self) -> None:
        """Where there is nothing to show, say what keeps Codex from working, and the way out."""
        try:
            findings = await self.engine.doctor.examine()
        except UserError:
            return
        bad = [found for found in findings if found.health == "fail"]
        for found in bad:
            if found.name.partition(" ")[0] == "codex":
                told = (found.message, found.recovery, STAND_IN)
                self._trouble = "\n".join(text for text in told if text)
                self.rearrange()
                return

    def expect(self, run_id: str) -> None:
        """Choose a run as soon as the list has it."""
        self._expected = run_id
        self.meet_expected()

    def reveal(self, run_id: str) -> None:
        """Choose a run that there is, in the list of all runs where the one shown hides it."""
        if not self.panes.run_list.move_to(run_id):
            self.clear_filter()
            self.select(replace(self._selection, needs_me=False, grouping=Grouping.NONE))
            self.panes.run_list.move_to(run_id)
        self.panes.go("runs")

    def meet_expected(self) -> None:
        """Choose the run that was expected, if it is there."""
        if self._expected and self.panes.run_list.move_to(self._expected):
            self._expected = None

    # What the user wants to see

    def select(self, selection: ListOptions) -> None:
        """Show other runs, or the same in another order."""
        self._selection = selection
        self.rearrange()

    @property
    def is_narrowed(self) -> bool:
        """Whether the list shows what `back` leads from: a filter, or the causes of failures."""
        filtered = self.panes.filter_input.display or self._selection.text
        return bool(filtered) or self._selection.is_triage

    def clear_filter(self) -> bool:
        """Show all runs again, be it all of those that failed; say whether there was a filter."""
        had_one = bool(self.panes.filter_input.display or self._selection.text)
        self.panes.filter_input.value = ""
        self.select(replace(self._selection, text=""))
        self.panes.close_filter()
        return had_one

    def leave_view(self) -> None:
        """Go back from the causes of failures, or from the tiles, to the list of all runs."""
        if self._selection.is_triage:
            self.action_triage()
        elif self.panes.is_fleet:
            self.panes.show_fleet(False)

    def action_filter(self) -> None:
        """Let the user type a filter."""
        self.panes.open_filter()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        if event.value != self._selection.text:
            self.select(replace(self._selection, text=event.value))

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.panes.close_filter()

    def action_needs_me(self) -> None:
        """Show only what needs the user, or everything."""
        self.select(replace(self._selection, needs_me=not self._selection.needs_me))

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.select(self._selection.next_sort(self.panes.run_list.columns))

    @on(RunList.HeadClicked)
    def _head_clicked(self, event: RunList.HeadClicked) -> None:
        self.select(self._selection.by_column(event.column))

    def action_reverse(self) -> None:
        """Reverse the order."""
        self.select(replace(self._selection, is_reversed=not self._selection.is_reversed))

    def action_group(self) -> None:
        """Group by project, by batch, by status, or not at all."""
        self.select(self._selection.next_grouping())

    def action_triage(self) -> None:
        """Show what failed by its cause, or everything again."""
        grouping = Grouping.NONE if self._selection.is_triage else Grouping.CAUSE
        self.select(replace(self._selection, grouping=grouping))
