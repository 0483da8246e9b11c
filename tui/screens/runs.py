"""The main screen: the runs, and everything about the one that is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.dom import DOMNode
from textual.widgets import Input, Static

from engine.domain.model import Run, Status
from tui import commands
from tui.screens.run_actions import RunActions
from tui.selection import Selection
from tui.widgets.key_bar import KeyBar
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.panes import PANES, WIDE, Panes
from tui.widgets.run_list import RunList
from tui.widgets.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import Batch, Engine

NO_RUNS = "No runs yet: n starts one, `swarm-tui demo` shows some."
NO_MATCH = "No run matches: esc shows all."
NONE_NEEDS_ME = "Nothing needs you: w shows all."
TOO_SMALL = "Too small: swarm-tui needs 60 × 15."


class RunsScreen(RunActions):
    """Run list on the left, the chosen run on the right; one pane at a time where it is narrow."""

    CSS_PATH = "runs.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (15, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("runs")

    top_bar = getters.query_one(TopBar)
    tabs = getters.query_one(PaneTabs)
    panes = getters.query_one(Panes)

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        super().__init__(engine)
        self._clock = clock
        self._selection = Selection()
        self._listed: set[str] = set()
        self._expected: str | None = None
        self._acts: tuple[str, Status] | None = None

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield TopBar()
        yield PaneTabs(PANES)
        yield Panes(self.engine, self._clock)
        yield Static(Content(TOO_SMALL), id="too-small")
        yield KeyBar()

    def on_mount(self) -> None:
        """Let the clocks go on, once a second."""
        self.set_interval(1, self._tick)

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was shown."""
        runs = self.engine.view.runs
        self.top_bar.count(runs, runs)
        self.top_bar.tell(self.engine.slots)
        self.panes.reckon_positions(runs)
        self._rearrange()

    @property
    def run(self) -> Run | None:
        """The chosen run as it is now."""
        return self.engine.view.runs.get(self.panes.run_list.cursor_run or "")

    def carrier(self, scope: str) -> DOMNode | None:
        """Give who carries out the commands of a scope here."""
        chosen = self.panes.chosen
        widgets = {"list": self.panes.run_list, "log": chosen.log_view, "files": chosen.files}
        return self if scope == "runs" else widgets.get(scope)

    # What happens

    def take(self, batch: Batch) -> None:
        """Take in what happened, at the cost of what changed."""
        view = self.engine.view
        self.top_bar.count(view.runs, batch.runs)
        self.top_bar.tell(self.engine.slots)
        if batch.runs:
            self.panes.reckon_positions(batch.runs)
            self._update_list(batch.runs)
        self.panes.chosen.take(batch)
        self._meet_expected()
        self._refresh_keys()

    def _update_list(self, ids: set[str]) -> None:
        if self._selection.is_fixed and ids <= self._listed:
            self.panes.run_list.refresh_runs(self.engine.view, ids)
        else:
            self._rearrange()

    def _rearrange(self) -> None:
        runs = self.engine.view.runs
        run_list = self.panes.run_list
        shown = self._selection.arrange(runs.values(), self._clock())
        run_list.empty_text = self._why_empty()
        run_list.show(shown)
        self._listed = {run.id for run in shown}
        state = self._selection.describe(len(shown), len(runs))
        run_list.set_title(state)
        self.tabs.note(state)

    def _why_empty(self) -> str:
        if not self.engine.view.runs:
            return NO_RUNS
        return NO_MATCH if self._selection.text.strip() else NONE_NEEDS_ME

    def expect(self, run_id: str) -> None:
        """Choose a run as soon as the list has it."""
        self._expected = run_id
        self._meet_expected()

    def _meet_expected(self) -> None:
        if self._expected and self.panes.run_list.move_to(self._expected):
            self._expected = None

    def _tick(self) -> None:
        now = self._clock()
        self.panes.run_list.tick(now)
        self.panes.chosen.tick(now)

    @on(RunList.Highlighted)
    def _highlighted(self, event: RunList.Highlighted) -> None:
        self.panes.chosen.choose(event.run_id)
        self._refresh_keys()

    def _refresh_keys(self) -> None:
        run = self.run
        acts = (run.id, run.status) if run else None
        if acts != self._acts:
            self._acts = acts
            self.refresh_bindings()

    # The list

    def _select(self, selection: Selection) -> None:
        self._selection = selection
        self._rearrange()

    def action_filter(self) -> None:
        """Let the user type a filter."""
        self.panes.open_filter()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        if event.value != self._selection.text:
            self._select(replace(self._selection, text=event.value))

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.panes.close_filter()

    def action_needs_me(self) -> None:
        """Show only what needs the user, or everything."""
        self._select(replace(self._selection, needs_me=not self._selection.needs_me))

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._select(self._selection.next_sort())

    def action_reverse(self) -> None:
        """Reverse the order."""
        self._select(replace(self._selection, is_reversed=not self._selection.is_reversed))

    # Panes

    @on(Panes.Moved)
    def _moved(self) -> None:
        self.tabs.light(self.panes.pane)

    @on(PaneTabs.Chosen)
    def _tab_clicked(self, event: PaneTabs.Chosen) -> None:
        self.panes.go(event.pane)

    @on(RunList.Opened)
    def action_log(self) -> None:
        """Go to the log."""
        self.panes.go("log")

    def action_files(self) -> None:
        """Go to the files."""
        self.panes.go("files")

    def action_next_pane(self) -> None:
        """Go to the next pane."""
        self.panes.step(1)

    def action_previous_pane(self) -> None:
        """Go to the pane before."""
        self.panes.step(-1)

    def action_zoom(self) -> None:
        """Give the pane the whole screen, or take it back."""
        self.panes.zoom()

    def action_follow(self) -> None:
        """Follow the end of the log."""
        self.panes.chosen.log_view.action_follow()

    def action_back(self) -> None:
        """Leave the zoom, the pane, the filter: whichever is the innermost."""
        panes = self.panes
        if panes.is_zoomed:
            panes.zoom()
        elif panes.pane != "runs" and not panes.filter_input.has_focus:
            panes.go("runs")
        else:
            panes.filter_input.value = ""
            self._select(replace(self._selection, text=""))
            panes.close_filter()

    def on_key(self, event: events.Key) -> None:
        """Go down from the filter into the list."""
        if event.key == "down" and self.panes.filter_input.has_focus:
            self.panes.run_list.focus()
