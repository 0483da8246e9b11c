"""The list of runs as the user wants it: filtered, sorted, on the run that is expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual import getters, on
from textual.widgets import Input

from engine.domain.errors import UserError
from engine.domain.model import Run
from tui.screens.run_actions import RunActions
from tui.selection import Selection
from tui.widgets.marked_list import MarkedList
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.panes import Panes

if TYPE_CHECKING:
    from engine.engine import Engine

NO_RUNS = "No runs yet: n starts one, `swarm-tui demo` shows some."
STAND_IN = "Or press n and choose the simulated agent: it needs nothing."
NO_MATCH = "No run matches: esc shows all."
NONE_NEEDS_ME = "Nothing needs you: w shows all."


class RunBrowser(RunActions):
    """A screen with a list of runs, of which it keeps order and marks."""

    tabs = getters.query_one(PaneTabs)
    panes = getters.query_one(Panes)

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._selection = Selection()
        self._listed: set[str] = set()
        self._expected: str | None = None
        self._trouble = ""

    @property
    def run(self) -> Run | None:
        """The chosen run as it is now."""
        return self.engine.view.runs.get(self.panes.run_list.cursor_run or "")

    def marked(self) -> Sequence[Run]:
        """Give the marked runs as they are now, in the list's order."""
        run_list = self.panes.run_list
        return [run for run in run_list.runs if run.id in run_list.marks] if run_list.marks else []

    def unmark(self) -> None:
        """Take the marks away."""
        self.panes.run_list.action_clear_marks()

    @on(MarkedList.MarksChanged)
    def _marks_changed(self) -> None:
        self._describe()
        self.refresh_bindings()

    # Order

    def update_list(self, ids: set[str]) -> None:
        """Show the runs named as they are now, at the cost of what changed."""
        if self._selection.is_fixed and ids <= self._listed:
            self.panes.run_list.refresh_runs(self.engine.view, ids)
        else:
            self.rearrange()

    def rearrange(self) -> None:
        """Filter and sort anew."""
        runs = self.engine.view.runs
        run_list = self.panes.run_list
        shown = self._selection.arrange(runs.values(), self.clock())
        run_list.empty_text = self._why_empty()
        run_list.show(shown)
        self._listed = {run.id for run in shown}
        self._describe()

    def _describe(self) -> None:
        run_list = self.panes.run_list
        state = self._selection.describe(len(run_list.runs), len(self.engine.view.runs))
        if run_list.marks:
            state = f"{state} · {len(run_list.marks)} marked"
        run_list.set_title(state)
        self.tabs.note(state)

    def _why_empty(self) -> str:
        if not self.engine.view.runs:
            return self._trouble or NO_RUNS
        return NO_MATCH if self._selection.text.strip() else NONE_NEEDS_ME

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

    def meet_expected(self) -> None:
        """Choose the run that was expected, if it is there."""
        if self._expected and self.panes.run_list.move_to(self._expected):
            self._expected = None

    # What the user wants to see

    def select(self, selection: Selection) -> None:
        """Show other runs, or the same in another order."""
        self._selection = selection
        self.rearrange()

    def clear_filter(self) -> None:
        """Show all runs again."""
        self.panes.filter_input.value = ""
        self.select(replace(self._selection, text=""))
        self.panes.close_filter()

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
        self.select(self._selection.next_sort())

    def action_reverse(self) -> None:
        """Reverse the order."""
        self.select(replace(self._selection, is_reversed=not self._selection.is_reversed))
