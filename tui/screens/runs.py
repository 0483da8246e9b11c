"""The main screen: the runs, and everything about the one that is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.geometry import Size

from engine.domain.errors import UserError, user_error
from engine.domain.kinds import EventKind
from tui import commands
from tui.models.list_options import ListOptions
from tui.screens.live import BatchRequested, CodeRequested, EventRequested
from tui.screens.run_browser import RunBrowser
from tui.widgets.base.pane_tabs import PaneTabs
from tui.widgets.base.too_small import COLUMNS, ROWS, TooSmall
from tui.widgets.files.workspace_tree import WorkspaceTree
from tui.widgets.log.event_log import EventLog
from tui.widgets.log.log_pane import LogPane
from tui.widgets.runs.panes import PANES, WIDE, Panes
from tui.widgets.runs.run_list import RunList
from tui.widgets.status.key_bar import KeyBar
from tui.widgets.status.toast import app_of
from tui.widgets.status.top_bar import TopBar

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort

STEP = 4.0
"""How much of the screen's width the list gains or loses at a time, in percent."""


class RunsScreen(RunBrowser):
    """Run list on the left, the chosen run on the right; one pane at a time where it is narrow."""

    CSS_PATH = "runs.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (COLUMNS, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  Textual declares it without ClassVar
    VERTICAL_BREAKPOINTS = [(0, "-short"), (ROWS, "-tall")]  # noqa: RUF012  Textual declares it without ClassVar
    BINDINGS: ClassVar[list[BindingType]] = commands.bindings("runs")

    def __init__(self, engine: EnginePort, clock: Callable[[], float]) -> None:
        super().__init__(engine, clock)
        self._acts: object = None
        self._is_unveiled = False
        self._styled_as = self.classes

    def expect_size(self, size: Size) -> None:
        """Take on the classes of a size before anything is styled, not to style it once more."""
        steps = (self.HORIZONTAL_BREAKPOINTS, size.width), (self.VERTICAL_BREAKPOINTS, size.height)
        for breakpoints, length in steps:
            name = max(one for one in breakpoints or () if one[0] <= length)[1]
            self.add_class(name, update=False)
        self._styled_as = self.classes

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield TopBar()
        yield PaneTabs(PANES)
        yield Panes(self.engine, self.clock)
        yield TooSmall()
        yield KeyBar()

    def on_mount(self) -> None:
        """Say what is in the way of a first run, if anything is."""
        if not self.engine.view.runs:
            self.run_worker(self.look_for_codex, group="doctor")

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was shown."""
        self.panes.reckon_positions(self.engine.view.runs)
        self.rearrange()

    def unveil(self) -> None:
        """Paint from now on: everything has found its place."""
        self._is_unveiled = True
        self.refresh()
        self._on_timer_update()  # at once, not when Textual's timer strikes
        self.call_after_refresh(self.panes.chosen.begin)

    def update_node_styles(self, animate: bool = True) -> None:
        """Style everything anew; what is about to be seen for the first time has just been."""
        if self._is_unveiled or self.classes != self._styled_as:  # it got another size meanwhile
            super().update_node_styles(animate)

    def _compositor_refresh(self) -> None:
        """Paint, but nothing that would stand there for a moment only."""
        if self._is_unveiled:
            super()._compositor_refresh()

    def carrier(self, scope: str) -> DOMNode | None:
        """Give who carries out the commands of a scope here."""
        chosen = self.panes.chosen
        widgets = {
            "list": self.panes.run_list,
            "log": chosen.log_view,
            "logs": chosen.log_pane,
            "files": chosen.files,
        }
        return self if scope == "runs" else widgets.get(scope)

    # What happens

    def take(self, batch: EventBatch) -> None:
        """Take in what happened, at the cost of what changed."""
        super().take(batch)
        self.panes.pulses.hear(batch.by_run)
        if batch.runs:
            self.panes.reckon_positions(batch.runs)
            self.update_list(batch.runs)
        self.panes.chosen.take(batch)
        self.meet_expected()
        self._refresh_keys()

    def tick(self) -> None:
        """Let the clocks go on."""
        super().tick()
        now = self.clock()
        self.panes.run_list.tick(now)
        self.panes.chosen.tick(now)

    @on(RunList.Highlighted)
    def _highlighted(self, event: RunList.Highlighted) -> None:
        self.panes.chosen.choose(event.run_id)
        self._refresh_keys()

    def _refresh_keys(self) -> None:
        run = self.run
        about = (run.id, run.status, run.in_trash, run.spec.batch) if run else self.chosen_batch
        acts = about, self._is_somewhere, bool(self.engine.view.deleted)
        if acts != self._acts:
            self._acts = acts
            self.refresh_bindings()

    def rearrange(self) -> None:
        """Filter, sort and group anew; there may be a way back from that."""
        super().rearrange()
        self._refresh_keys()

    # What is to be looked at

    @property
    def subject(self) -> tuple[str, str | None] | None:
        """The chosen run, and the file under the cursor where the files have the focus."""
        run = self.run
        if run is None or run.workspace is None:
            return None
        files = self.panes.chosen.files
        return run.id, files.cursor_path if self.panes.pane == "files" else None

    def why_not(self, command_id: str) -> UserError | None:
        """Say why there is nothing to look at, or what the run does not allow."""
        if command_id == "view.changes" and self.run:
            message = f"The run {self.run.id} has no workspace yet."
            return user_error("WORKSPACE_MISSING", message, "Wait until it has started.")
        if command_id == "run.undo":
            way_out = "2 shows the disk, and all there is in the trash."
            return user_error("INPUT_INVALID", "No run's workspace was deleted.", way_out)
        return super().why_not(command_id)

    def action_changes(self) -> None:
        """Show what the run changed."""
        if self.run:
            self.post_message(CodeRequested("changes", self.run.id))

    def action_batch(self) -> None:
        """Show the batch of the run, or of those under the heading."""
        if batch := self.chosen_batch:
            self.post_message(BatchRequested(batch))

    @on(WorkspaceTree.FileOpened)
    def _opened(self, event: WorkspaceTree.FileOpened) -> None:
        run_id = event.tree.run_id
        if run_id:
            self.post_message(
                CodeRequested("changes" if event.change else "file", run_id, event.path)
            )

    # Panes

    @on(Panes.Moved)
    def _moved(self) -> None:
        self.tabs.light(self.panes.pane)

    @on(PaneTabs.PaneSelected)
    def _tab_clicked(self, event: PaneTabs.PaneSelected) -> None:
        self.panes.go(event.pane)

    @on(RunList.RunOpened)
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
        self._refresh_keys()

    def action_fleet(self) -> None:
        """Show all runs as tiles, or as a list again."""
        self.panes.show_fleet(not (self.panes.is_fleet and self.panes.pane == "runs"))
        self._refresh_keys()

    def action_wider(self) -> None:
        """Give the list more room."""
        self.panes.widen(STEP)

    def action_narrower(self) -> None:
        """Give the list less room."""
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
        if not self.panes.run_list.move_to(wanted.run_id):
            self.select(ListOptions())
            self.clear_filter()
            self.panes.run_list.move_to(wanted.run_id)
        self.panes.go("log")
        self.panes.chosen.show_event(wanted.run_id, wanted.seq, wanted.lit)

    @on(EventLog.EventOpened)
    def _file_named(self, event: EventLog.EventOpened) -> None:
        """Show what became of a file that the log names."""
        self.post_message(CodeRequested("changes", event.run, event.path))

    @on(LogPane.KindAsked)
    def _kind_asked(self) -> None:
        from tui.screens.kinds import KindChoice

        pane = self.panes.chosen.log_pane

        def chosen(kind: EventKind | None) -> None:
            if kind:
                pane.choose_kind(kind)

        app_of(self).push_screen(KindChoice(pane.kind), chosen)

    @property
    def _is_somewhere(self) -> bool:
        """Whether there is anything to go back from."""
        panes = self.panes
        is_changed = panes.is_zoomed or panes.is_fleet or self.is_narrowed
        return is_changed or panes.pane != "runs" or bool(panes.run_list.marks.ids)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keep `back` out of the footer where there is nothing behind; grey `undo` likewise."""
        if action == "back":
            return self._is_somewhere
        if action == "undo_delete":
            return True if self.engine.view.deleted else None
        return super().check_action(action, parameters)

    def action_back(self) -> None:
        """Clear the marks, or leave the zoom, the pane, the filter, the view: the innermost."""
        panes = self.panes
        if panes.run_list.has_focus and panes.run_list.marks.ids:
            panes.run_list.marks.clear()
        elif panes.pane == "files" and panes.chosen.files_pane.is_narrowed:
            panes.chosen.files_pane.show_all()
        elif panes.is_zoomed:
            panes.zoom()
        elif panes.pane != "runs" and not panes.filter_input.has_focus:
            panes.go("runs")
        elif not self.clear_filter():
            self.leave_view()
        self._refresh_keys()

    def on_key(self, event: events.Key) -> None:
        """Go down from the filter into the list."""
        if event.key == "down" and self.panes.filter_input.has_focus:
            self.panes.run_list.focus()
