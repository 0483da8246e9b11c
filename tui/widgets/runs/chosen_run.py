"""The chosen run: header, progress, log and files, kept current from the batches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import getters
from textual.app import ComposeResult

from engine.domain.errors import UserError
from engine.domain.events import ChangesMeasured, Event, FileChange, FilesChanged
from engine.domain.model import Run, Status
from tui.widgets.base.containers import TransparentHorizontal, TransparentVertical
from tui.widgets.base.throttle import Throttle
from tui.widgets.log.event_log import EventLog
from tui.widgets.log.live_feed import LiveFeed
from tui.widgets.log.log_pane import LogPane
from tui.widgets.log.log_runs import LogRuns
from tui.widgets.runs.plan_view import PlanView
from tui.widgets.runs.run_activity import QueuePosition
from tui.widgets.runs.run_header import RunHeader
from tui.widgets.runs.run_progress import RunProgress

if TYPE_CHECKING:
    from textual.widget import AwaitMount

    from engine.engine import EventBatch
    from engine.ports.engine import EnginePort
    from tui.widgets.files.files_pane import FilesPane
    from tui.widgets.files.workspace_tree import WorkspaceTree

PULSE_EVENTS = 2_000
"""Past events that the line of beats begins with."""


class ChosenRun(TransparentVertical):
    """Panes of the chosen run; the last choice wins, however fast the cursor moves."""

    DEFAULT_CSS = """
    ChosenRun {
        width: 1fr; height: 1fr;
        & > Horizontal { height: 1fr; }
        &.-none { visibility: hidden; }
        LogPane { width: 3fr; height: 1fr; }
        FilesPane { width: 2fr; }
    }
    """

    header = getters.query_one(RunHeader)
    progress = getters.query_one(RunProgress)
    plan = getters.query_one(PlanView)
    log_pane = getters.query_one(LogPane)
    log_view = getters.query_one(EventLog)

    def __init__(
        self,
        engine: EnginePort,
        clock: Callable[[], float],
        wait: Callable[[Run], QueuePosition],
    ) -> None:
        super().__init__()
        self._engine, self._clock, self._wait = engine, clock, wait
        self.run_id: str | None = None
        self.files_pane: FilesPane | None = None
        """The files of the run, once they were asked for."""
        self._opened: str | None = None
        self._folder: tuple[object, ...] | None = None
        self._is_opening = False
        self._may_open = False
        self._pace = Throttle(self, lambda: self.tick(self._clock()))
        self._wanted: tuple[str, int, re.Pattern[str] | None] | None = None
        self._live: LiveFeed | None = None

    def on_mount(self) -> None:
        """Prepare to read what the run's commands print."""
        log = self.log_view
        self._live = LiveFeed(log, self._engine.live_output, lambda new: log.tails.show(log, new))

    def compose(self) -> ComposeResult:
        """Create the parts."""
        yield RunHeader()
        yield RunProgress()
        yield PlanView()
        with TransparentHorizontal():
            yield LogPane(self._engine.history, LogRuns(lambda: self._engine.view.runs))

    def mount_files(self) -> AwaitMount:
        """Mount the pane of the files, at the first use: the start does not wait for it."""
        beside = self.query_one(TransparentHorizontal)
        if self.files_pane:
            return beside.mount()
        from tui.widgets.files.files_pane import FilesPane

        self.files_pane = FilesPane()
        self.files_pane.display = False
        return beside.mount(self.files_pane)

    @property
    def files(self) -> WorkspaceTree | None:
        """The tree of the files, once it was asked for."""
        return self.files_pane.files if self.files_pane else None

    @property
    def run(self) -> Run | None:
        """The run as it is now."""
        return self._engine.view.runs.get(self.run_id or "")

    def choose(self, run_id: str | None) -> None:
        """Show another run."""
        self.run_id = run_id
        self.set_class(run_id is None, "-none")
        self.tick(self._clock())
        self._bring_up()

    def show_files(self, is_shown: bool) -> None:
        """Show the files of the run, or hide them: hidden ones are not read."""
        if self.files_pane:
            self.files_pane.display = is_shown
        self._bring_up()

    def begin(self) -> None:
        """Open chosen runs from now on; the first paint does not wait for it."""
        self._may_open = True
        self._bring_up()

    def show_event(self, run_id: str, seq: int, lit: re.Pattern[str] | None) -> None:
        """Show an event in the log of a run, as soon as that is open."""
        self._wanted = (run_id, seq, lit)
        self.choose(run_id)
        if not self._is_opening:
            self.run_worker(self._go_to_wanted, group="open")

    async def _go_to_wanted(self) -> None:
        if self._wanted and self._wanted[0] == self._opened:
            (_, seq, lit), self._wanted = self._wanted, None
            await self.log_pane.go_to(seq, lit)

    def tick(self, now: float) -> None:
        """Advance the clocks."""
        run = self.run
        overlaps = self._engine.view.radar.overlaps(run.id) if run and run.overlaps else ()
        self.header.show(run, now, overlaps)
        self.progress.show(run, now, self._wait(run) if run else QueuePosition())
        self.plan.show(run.plan if run else (), self.size.height)
        self._follow_live(run)
        if self.files and self._engine.config.cluster.scheduler:
            from tui.formatting.nodes import files_note  # most homes have no cluster

            self.files.show_note(files_note(run, self._engine.cluster.last) if run else "")

    def _follow_live(self, run: Run | None) -> None:
        """Read the live output of the run, where its log is open and shows all of it."""
        if self._live:
            is_shown = run and self._opened == run.id and self.log_pane.shows_usual
            self._live.follow(run if is_shown else None, self.log_view.tails)

    def on_resize(self) -> None:
        """Fit the plan to the room there is."""
        self.tick(self._clock())

    def toggle_plan(self) -> None:
        """Show the plan whole, or hide it."""
        self.plan.toggle()
        self.tick(self._clock())

    def take(self, batch: EventBatch) -> None:
        """Show the events of the run."""
        run = self.run
        if self.run_id in batch.runs or (run and run.status is Status.QUEUED):
            self._pace.ask()
        if self.log_pane.shows_all_runs:
            self.log_view.append(batch.events)
        if self.run_id in batch.runs:
            self._hear(batch.by_run.get(self.run_id or "", []))
            self._bring_up()

    def _hear(self, events: list[Event]) -> None:
        if self._opened != self.run_id:
            return
        self.progress.beat(event.at for event in events)
        if not self.log_pane.shows_all_runs:
            self.log_view.append(events)
        changes: list[FileChange] = []
        for event in events:
            if isinstance(event.body, FilesChanged):
                changes += event.body.changes
        files = self.files
        if files is None or self._folder != _folder(self.run):
            return
        if changes:
            files.files_changed(changes)
        elif any(isinstance(event.body, ChangesMeasured) for event in events):
            files.ask_again()  # what was seen to change may not be all

    def _bring_up(self) -> None:
        """Open the chosen run, unless that is under way."""
        run = self.run
        is_current = self._opened == self.run_id and not self._is_behind(run)
        if run and self._may_open and not is_current and not self._is_opening:
            self._is_opening = True
            self.run_worker(self._open, group="open")

    async def _open(self) -> None:
        try:
            while (run := self.run) and (self._opened != run.id or self._is_behind(run)):
                if self._opened != run.id:
                    self._opened, self._folder = run.id, None
                    await self.log_pane.open(run.id)
                    self._follow_live(run)
                    await self._begin_pulse(run.id)
                await self._go_to_wanted()
                if self._is_behind(run) and self.files:
                    self._folder = _folder(run)
                    await self.files.open(run.id, self._engine.workspaces)
        finally:
            self._is_opening = False

    def _is_behind(self, run: Run | None) -> bool:
        """Return whether the files are shown, and are those of another folder."""
        is_shown = self.files_pane is not None and self.files_pane.display
        return is_shown and self._folder != _folder(run)

    async def _begin_pulse(self, run_id: str) -> None:
        try:
            self.progress.begin(await self._engine.history(run_id).times(PULSE_EVENTS))
        except UserError:
            self.progress.begin(())  # the log shows the error


def _folder(run: Run | None) -> tuple[object, ...] | None:
    """Return a key that differs between folders, and for one that is in the trash."""
    return (run.id, run.workspace, run.in_trash) if run else None
