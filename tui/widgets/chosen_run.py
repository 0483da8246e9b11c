"""The chosen run: header, progress, log and files, kept current from the batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import getters
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from engine.domain.events import ChangesMeasured, FileChange, FilesChanged
from engine.domain.model import Run, Status
from tui.widgets.event_log import EventLog
from tui.widgets.files_pane import FilesPane
from tui.widgets.run_columns import Wait
from tui.widgets.run_header import RunHeader
from tui.widgets.run_progress import RunProgress
from tui.widgets.workspace_tree import WorkspaceTree

if TYPE_CHECKING:
    from engine.engine import Batch, Engine


class ChosenRun(Vertical):
    """Shows one run; the last one chosen wins, however fast the cursor moves."""

    DEFAULT_CSS = """
    ChosenRun {
        width: 1fr;
        & > Horizontal { height: 1fr; }
        &.-none { visibility: hidden; }
        EventLog { width: 3fr; height: 1fr; }
        FilesPane { width: 2fr; }
    }
    """

    header = getters.query_one(RunHeader)
    progress = getters.query_one(RunProgress)
    log_view = getters.query_one(EventLog)
    files_pane = getters.query_one(FilesPane)
    files = getters.query_one(WorkspaceTree)

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float],
        wait: Callable[[Run], Wait],
    ) -> None:
        super().__init__()
        self._engine, self._clock, self._wait = engine, clock, wait
        self.run_id: str | None = None
        self._opened: str | None = None
        self._folder: str | None = None
        self._is_opening = False

    def compose(self) -> ComposeResult:
        """Lay the parts out."""
        yield RunHeader()
        yield RunProgress()
        with Horizontal():
            yield EventLog()
            yield FilesPane()

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

    def tick(self, now: float) -> None:
        """Let the clocks go on."""
        run = self.run
        overlaps = self._engine.view.radar.overlaps(run.id) if run and run.overlaps else ()
        self.header.show(run, now, overlaps)
        self.progress.show(run, now, self._wait(run) if run else Wait())

    def take(self, batch: Batch) -> None:
        """Take in what happened to the run."""
        run = self.run
        if self.run_id in batch.runs or (run and run.status is Status.QUEUED):
            self.tick(self._clock())
        if self.run_id not in batch.runs:
            return
        events = [event for event in batch.events if event.run == self.run_id]
        if self._opened == self.run_id:
            self.log_view.append(events)
            changes: list[FileChange] = []
            for event in events:
                if isinstance(event.body, FilesChanged):
                    changes += event.body.changes
            if changes:
                self.files.files_changed(changes)
            elif any(isinstance(event.body, ChangesMeasured) for event in events):
                self.files.ask_again()  # what was seen to change may not be all
        self._bring_up()

    def _bring_up(self) -> None:
        """Open what is chosen, unless that is under way."""
        run = self.run
        is_current = self._opened == self.run_id and self._folder == _folder(run)
        if run and not is_current and not self._is_opening:
            self._is_opening = True
            self.run_worker(self._open(), group="open")

    async def _open(self) -> None:
        try:
            while (run := self.run) and (self._opened, self._folder) != (run.id, _folder(run)):
                if self._opened != run.id:
                    self._opened, self._folder = run.id, None
                    await self.log_view.open(run.id, self._engine.events)
                self._folder = _folder(run)
                await self.files.open(run.id, self._engine.workspaces)
        finally:
            self._is_opening = False


def _folder(run: Run | None) -> str | None:
    return f"{run.id}:{run.workspace.path if run.workspace else ''}" if run else None
