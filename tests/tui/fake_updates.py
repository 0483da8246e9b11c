"""Updates of the runs of a fake engine, as its tests have put them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.base_update import UpdatePhase, WorkspaceUpdated
from engine.domain.errors import user_error
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.runs.updates import CommitsBehind, UpdateReport, UpdateRequest
from engine.workspaces.apply.restore import RestoreResult
from engine.workspaces.apply.three_way import Conflict
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint

if TYPE_CHECKING:
    from fake_engine import FakeEngine


class FakeUpdates:
    """Updates to `main`: each run is `commits` behind it, and `conflicts` names files by run."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.commits = 0
        self.conflicts: dict[str, tuple[str, ...]] = {}
        self.calls: list[tuple[str, str]] = []

    async def behind(self, run: str) -> CommitsBehind | None:
        return CommitsBehind("main", self.commits) if self._run(run).workspace else None

    async def check(self, run: str, wanted: UpdateRequest = UpdateRequest()) -> UpdateReport:  # noqa: B008  it never changes
        return self._report(self._run(run), wanted)

    async def update(self, run: str, wanted: UpdateRequest = UpdateRequest()) -> UpdateReport:  # noqa: B008  it never changes
        known = self._ended(run)
        report = self._report(known, wanted)
        if report.conflicts:
            named = ", ".join(one.path for one in report.conflicts)
            raise user_error("UPDATE_CONFLICT", f"main conflicts with the run: {named}.")
        return self._updated("update", report)

    async def resolve(self, run: str, wanted: UpdateRequest = UpdateRequest()) -> UpdateReport:  # noqa: B008  it never changes
        report = self._updated("resolve", self._report(self._ended(run), wanted))
        if not report.conflicts:
            return report
        resumed = await self._engine.resume(run, "resolve the conflicts")
        return replace(report, run=resumed, is_resumed=True)

    async def undo(self, run: str) -> RestoreResult:
        last = self._ended(run).updated
        if last is None:
            raise user_error("UNDO_REFUSED", "It was not updated.")
        self.calls.append(("undo", run))
        self._engine.happen(run, replace(last, phase=UpdatePhase.UNDONE))
        return RestoreResult(("a.txt",), Checkpoint(last.checkpoint, "", ""))

    def _run(self, run: str) -> Run:
        return self._engine.view.runs[run]

    def _ended(self, run: str) -> Run:
        if self._run(run).status not in FINISHED:
            raise user_error("RUN_NOT_ENDED")
        return self._run(run)

    def _report(self, run: Run, wanted: UpdateRequest) -> UpdateReport:
        why = "changed by the run and by main"
        found = tuple(Conflict(path, why) for path in self.conflicts.get(run.id, ()))
        new = "b" * 40 if self.commits else "a" * 40
        files = ("a.txt",) if self.commits else ()
        base = wanted.base or "main"
        return UpdateReport(run, base, "a" * 40, new, self.commits, files, found)

    def _updated(self, call: str, report: UpdateReport) -> UpdateReport:
        run = report.run.id
        self.calls.append((call, run))
        named = tuple(one.path for one in report.conflicts)
        done = WorkspaceUpdated(
            UpdatePhase.UPDATED, report.base, report.old, report.new, 1, 1, report.commits, named
        )
        if report.is_news:
            self._engine.happen(run, done)
        return replace(report, run=self._run(run))
