"""The main screen: the runs, and the log and files of the chosen one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events, getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.geometry import Size
from textual.widgets import Input

from engine.domain.errors import UserError
from engine.domain.model import Run
from tui import commands
from tui.models.filters import filter_problem
from tui.screens.live import (
    BatchRequested,
    CodeRequested,
    EventRequested,
    LiveScreen,
    is_at_work,
    stop_work,
)
from tui.screens.messaging import RunMessages
from tui.screens.run_actions import RunActions
from tui.screens.run_browser import RunBrowser
from tui.widgets.base.marks import MarksChanged
from tui.widgets.base.pane_tabs import PaneTabs
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.log.event_log import EventLog
from tui.widgets.log.log_pane import LogPane
from tui.widgets.runs.panes import PANES, WIDE, Panes
from tui.widgets.runs.run_messages import HeadClicked, RunHighlighted, RunOpened
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort
    from tui.widgets.files.workspace_tree import WorkspaceTree

STEP = 4.0
"""Percent of the screen that the list gains or loses at a time."""


def _carried_out(act: Callable[[RunActions], None]) -> Callable[[RunsScreen], None]:
    """Return an action of the screen that its collaborator carries out."""

    def action(screen: RunsScreen) -> None:
        act(screen.actions)

    return action


class RunsScreen(LiveScreen):
    """Run list above the log of the chosen run; one pane at a time where it is narrow."""

    CSS_PATH = "runs.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("runs")

    tabs = getters.query_one(PaneTabs)
    panes = getters.query_one(Panes)

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self.browser = RunBrowser(self)
        self.actions = RunActions(self, self.browser)
        self.messages = RunMessages(self)
        self._acts: object = None
        self._is_unveiled = False
        self._styled_as = self.classes

    def expect_size(self, size: Size) -> None:
        """Set the classes of a size before anything is styled: styling twice takes time."""
        steps = (self.HORIZONTAL_BREAKPOINTS, size.width), (self.VERTICAL_BREAKPOINTS, size.height)
        for breakpoints, length in steps:
            name = max(one for one in breakpoints or () if one[0] <= length)[1]
            self.add_class(name, update=False)
        self._styled_as = self.classes

    def compose(self) -> ComposeResult:
        """Create the parts of the screen."""
        yield TopBar()
        yield PaneTabs(PANES)
        yield Panes(self.engine, self.clock)
        yield TooSmall()
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the obstacles of a first run, if there are any."""
        if not self.engine.view.runs:
            self.run_worker(self.panes.examine, group="doctor")

    def on_screen_resume(self) -> None:
        """Show the events that happened while another screen was shown."""
        self.panes.reckon_positions(self.engine.view.live | self.panes.positions.keys())
        self.rearrange()

    def unveil(self) -> None:
        """Paint from now on: everything has found its place."""
        self._is_unveiled = True
        for bar in self.query(KeyBar):  # missing where composing failed: that fault is shown
            bar.follow(self)
        self.refresh()
        self._on_timer_update()  # at once, not when Textual's timer strikes
        self.call_after_refresh(self.start_background)

    def start_background(self) -> None:
        """Start the work that no paint waits for, as soon as there is one."""
        if self._is_unveiled:
            super().start_background()
            self.panes.chosen.begin()
            if "cost" in self.engine.config.ui.columns:
                self.run_worker(self._show_costs, group="costs", exclusive=True)

    async def _show_costs(self) -> None:
        """Show the costs of runs: the first paint waits for no prices."""
        await self.engine.costs.load()
        self.rearrange()
        self.panes.run_list.refresh()

    def update_node_styles(self, animate: bool = True) -> None:
        """Style everything again, except before it is seen for the first time."""
        if self._is_unveiled or self.classes != self._styled_as:  # it got another size meanwhile
            super().update_node_styles(animate)

    def refresh_bindings(self) -> None:
        """Update the keys that are shown, except before they are seen for the first time."""
        if self._is_unveiled:
            super().refresh_bindings()

    def _compositor_refresh(self) -> None:
        """Paint, except what would be visible for a moment only."""
        if self._is_unveiled:
            super()._compositor_refresh()

    def carrier(self, scope: str) -> DOMNode | None:
        """Return the object that carries out the commands of a scope here."""
        chosen = self.panes.chosen
        if scope == "files":
            chosen.mount_files()  # its commands are offered before the files are seen
        widgets = {
            **self.messages.carriers,
            "list": self.panes.run_list,
            "log": chosen.log_view,
            "logs": chosen.log_pane,
            "files": chosen.files,
        }
        return self if scope == "runs" else widgets.get(scope)

    # Events

    def take(self, batch: EventBatch) -> None:
        """Show a batch of events, at the cost of the runs that changed."""
        super().take(batch)
        self.panes.pulses.hear(batch)
        if batch.runs:
            self.panes.reckon_positions(batch.runs)
            self.browser.update(batch.runs)
        self.panes.chosen.take(batch)
        self.messages.take(batch)
        self.browser.meet_expected()
        self._refresh_keys()

    def tick(self) -> None:
        """Advance the clocks."""
        super().tick()
        self.browser.tick()
        now = self.clock()
        self.panes.run_list.tick(now)
        self.panes.chosen.tick(now)

    @on(RunHighlighted)
    def _highlighted(self, event: RunHighlighted) -> None:
        self.panes.chosen.choose(event.run_id)
        self._refresh_keys()

    @on(MarksChanged)
    def _marks_changed(self) -> None:
        self.browser.describe()
        self.refresh_bindings()

    def _refresh_keys(self) -> None:
        run = self.run
        about = (run.id, run.status, run.in_trash, run.spec.batch) if run else self.browser.batch
        acts = about, self._is_somewhere, self.actions.can_undo
        if acts != self._acts:
            self._acts = acts
            self.refresh_bindings()

    def rearrange(self) -> None:
        """Filter, sort and group all runs again."""
        self.browser.rearrange()
        self._refresh_keys()

    # The chosen run

    @property
    def run(self) -> Run | None:
        """Return the chosen run as it is now."""
        return self.browser.run

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """Return the chosen run, and the file under the cursor where the files have the focus."""
        run = self.run
        if run is None or run.workspace is None:
            return None
        files = self.panes.chosen.files
        return run.id, files.cursor_path if files and self.panes.pane == "files" else None

    def why_not(self, command_id: str) -> UserError | None:
        """Return the reason why a command cannot act on the chosen run."""
        return self.actions.why_not(command_id)

    def expect(self, run_id: str) -> None:
        """Choose a run as soon as the engine reports it."""
        self.browser.expect(run_id)

    def reveal(self, run_id: str) -> None:
        """Choose a run, whatever hides it."""
        self.browser.reveal(run_id)
        self.panes.go("runs")

    def action_changes(self) -> None:
        """Review the changes of the run."""
        self.browser.review()

    def action_batch(self) -> None:
        """Show the batch of the run, or of those under the heading."""
        if batch := self.browser.batch:
            self.post_message(BatchRequested(batch))

    # By its name, not by `@on`: that would import the tree before anybody asks for files.
    def on_workspace_tree_file_opened(self, event: WorkspaceTree.FileOpened) -> None:
        """Show a file of the workspace, or its change."""
        run_id = event.tree.run_id
        if run_id and event.change:
            self.browser.review_file(run_id, event.path)
        elif run_id:
            self.post_message(CodeRequested("file", run_id, event.path))

    # Carried out by the actions on the chosen or marked runs
    action_cancel_run = _carried_out(RunActions.cancel_run)
    action_kill_run = _carried_out(RunActions.kill_run)
    action_start_run = _carried_out(RunActions.start_run)
    action_retry_run = _carried_out(RunActions.retry_run)
    action_fresh_run = _carried_out(RunActions.fresh_run)
    action_edit_run = _carried_out(RunActions.edit_run)
    action_resume_run = _carried_out(RunActions.resume_run)
    action_apply_run = _carried_out(RunActions.apply_run)
    action_push_run = _carried_out(RunActions.push_run)
    action_compare = _carried_out(RunActions.compare)
    action_details = _carried_out(RunActions.details)
    action_delete_workspace = _carried_out(RunActions.delete_workspace)
    action_undo_delete = _carried_out(RunActions.undo)
    action_dismiss_run = _carried_out(RunActions.dismiss_run)
    action_archive_run = _carried_out(RunActions.archive_run)
    action_tag_run = _carried_out(RunActions.tag_run)
    action_note_run = _carried_out(RunActions.note_run)
    action_update_run = _carried_out(RunActions.update_run)
    action_fork_run = _carried_out(RunActions.fork_run)
    action_forget_run = _carried_out(RunActions.forget_run)
    action_copy_id = _carried_out(RunActions.copy_id)

    async def action_message(self) -> None:
        """Write a message to the agent of the run."""
        await self.messages.write(self.actions.targets("message"))

    def action_interrupt(self) -> None:
        """End the turn of the agent; ask first where a command has run for long."""
        self.messages.interrupt(self.actions.targets("interrupt"))

    # The list

    def action_filter(self) -> None:
        """Focus the filter."""
        self.panes.open_filter()

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        self.browser.filter(event.value)
        self.panes.filter_input.show_problem(filter_problem(event.value))

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.panes.close_filter()

    @on(HeadClicked)
    def _head_clicked(self, event: HeadClicked) -> None:
        self.browser.select(self.browser.options.by_column(event.column))

    def action_needs_me(self) -> None:
        """Show only the runs that need the user, or all."""
        self.browser.toggle_needs_you()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.browser.sort()

    def action_reverse(self) -> None:
        """Reverse the order."""
        self.browser.reverse()

    def action_group(self) -> None:
        """Group by the next property, or not at all."""
        self.browser.group()

    def action_triage(self) -> None:
        """Show failed runs by cause, or all runs."""
        self.browser.toggle_triage()

    # Panes

    @on(Panes.Moved)
    def _moved(self) -> None:
        self.tabs.light(self.panes.pane)

    @on(PaneTabs.PaneSelected)
    async def _tab_clicked(self, event: PaneTabs.PaneSelected) -> None:
        await self.panes.open(event.pane)

    @on(RunOpened)
    def _run_opened(self) -> None:
        self.browser.open_run()

    def action_log(self) -> None:
        """Go to the log."""
        self.panes.go("log")

    async def action_files(self) -> None:
        """Show the files and go to them, or hide them."""
        if self.panes.pane == "files":
            self.panes.close_files()
        else:
            await self.panes.open("files")
        self._refresh_keys()

    async def action_next_pane(self) -> None:
        """Go to the next pane."""
        await self.panes.step(1)

    async def action_previous_pane(self) -> None:
        """Go to the pane before."""
        await self.panes.step(-1)

    def action_zoom(self) -> None:
        """Maximize the pane, or restore it."""
        self.panes.zoom()
        self._refresh_keys()

    def action_fleet(self) -> None:
        """Show all runs as tiles, or as a list again."""
        self.panes.show_fleet(not (self.panes.is_fleet and self.panes.pane == "runs"))
        self._refresh_keys()

    def action_wider(self) -> None:
        """Enlarge the list."""
        self.panes.widen(STEP)

    def action_narrower(self) -> None:
        """Shrink the list."""
        self.panes.widen(-STEP)

    def action_follow(self) -> None:
        """Follow the end of the log."""
        self.panes.chosen.log_view.action_follow()

    def action_plan(self) -> None:
        """Show the chosen run's plan whole, or hide it."""
        self.panes.chosen.toggle_plan()

    def action_all_runs(self) -> None:
        """Show all runs as one log, or the chosen run's alone."""
        pane = self.panes.chosen.log_pane
        pane.show_all_runs(not pane.shows_all_runs)
        self.panes.go("log")

    def show_event(self, wanted: EventRequested) -> None:
        """Show an event in the log of its run, whatever the list was narrowed to."""
        self.browser.find(wanted.run_id)
        self.panes.go("log")
        self.panes.chosen.show_event(wanted.run_id, wanted.seq, wanted.lit)

    @on(EventLog.EventOpened)
    def _file_named(self, event: EventLog.EventOpened) -> None:
        """Show what became of a file that the log names."""
        self.browser.review_file(event.run, event.path)

    @on(LogPane.KindAsked)
    def _kind_asked(self) -> None:
        from tui.screens.kinds import choose_kind

        choose_kind(self.panes.chosen.log_pane)

    @property
    def _is_somewhere(self) -> bool:
        """Return whether there is anything to go back from."""
        has_marks = bool(self.panes.run_list.marks.ids)
        is_inside = self.panes.is_elsewhere or self.browser.is_narrowed or is_at_work(self)
        return has_marks or is_inside

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide `back` where there is nothing to go back from; grey what the runs do not allow."""
        if action == "back":
            return self._is_somewhere
        if action == "undo_delete":
            return True if self.actions.can_undo else None
        if action == "batch":
            return True if self.browser.batch else None
        return self.actions.check(action)

    def action_back(self) -> None:
        """Stop what goes on; else clear the marks, or leave what is the innermost."""
        if not stop_work(self):
            self._leave_innermost()
        self._refresh_keys()

    def _leave_innermost(self) -> None:
        """Clear the marks, or leave the zoom, the pane, the filter or the view."""
        panes, files = self.panes, self.panes.chosen.files_pane
        if panes.run_list.has_focus and panes.run_list.marks.ids:
            panes.run_list.marks.clear()
        elif panes.pane == "files" and files and files.is_narrowed:
            files.show_all()
        elif panes.is_zoomed:
            panes.zoom()
        elif panes.filter_input.has_focus:
            self.browser.clear_filter()
        elif panes.pane == "log":
            panes.go("runs")
        elif panes.shows_files:
            panes.close_files()
        elif not self.browser.clear_filter():
            self.browser.leave_view()

    def on_key(self, event: events.Key) -> None:
        """Go down from the filter into the list."""
        if event.key == "down" and self.panes.filter_input.has_focus:
            self.panes.run_list.focus()
