"""One active run in the tree of tasks: its supervisor, restarted after faults of that run alone."""

from __future__ import annotations

from collections.abc import Callable

from engine.agents.base import OutcomeKind
from engine.domain.errors import user_error
from engine.domain.events import Body, ErrorRaised, StatusChanged, status_change
from engine.domain.hosts import host_of
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import Run, Status
from engine.domain.reasons import Cause
from engine.domain.text import printable_name
from engine.execution.supervisor import RunSupervisor
from engine.execution.supervisor_context import SupervisorContext
from engine.execution.task_tree import SupervisedTask
from engine.store.appending import AppendRequest


class RunTask:
    """A run that is supervised to its end; each start begins with the run as stored."""

    def __init__(self, run: Run, tools: SupervisorContext) -> None:
        self._run = run
        self._tools = tools
        self._supervisor: RunSupervisor | None = None
        self._task: SupervisedTask | None = None
        self.outcome: OutcomeKind | None = None
        """The outcome of its last attempt here, as its agent reported it."""
        self._woken_for: tuple[Status, Cause | None] | None = None

    def start(self, ended: Callable[[], object]) -> None:
        """Begin to carry it; `ended` is called when that is over."""
        run_id = self._run.id
        self._task = self._tools.tasks.start(
            f"run {run_id}", self._supervise, run=run_id, give_up=self._fail
        )
        self._task.when_done(ended)

    def update(self, run: Run) -> None:
        """Replace the run by a newer state of it; a cancel ends the rest after a fault."""
        self._run = run
        if self._supervisor:
            self._attempt(lambda supervisor: supervisor.update(run))
        elif self._task and run.status is Status.CANCELLING:
            wanted = (run.status, run.cause)
            if wanted != self._woken_for:
                self._woken_for = wanted
                self._task.wake()

    def check(self, run: Run, now: float) -> None:
        """Look after the run, also at changes that no event reported."""
        self.update(run)
        self._attempt(lambda supervisor: supervisor.check(now))

    @property
    def host(self) -> str:
        """The machine of the run, as it was last known."""
        return host_of(self._run)

    async def abandon(self) -> None:
        """End its processes at once."""
        if self._supervisor:
            await self._supervisor.abandon()

    def _attempt(self, act: Callable[[RunSupervisor], object]) -> None:
        """Do something to its supervisor; a fault there is the run's."""
        try:
            if self._supervisor:
                act(self._supervisor)
        except Exception as error:
            if self._task:
                self._task.fail(error)

    async def _supervise(self) -> None:
        self._supervisor = supervisor = await self._new_supervisor()
        try:
            if supervisor:
                await supervisor.supervise()
        finally:
            self.outcome = supervisor and supervisor.outcome
            self._supervisor = None

    async def _fail(self, error: BaseException) -> None:
        if supervisor := await self._new_supervisor():
            await supervisor.fail(error)

    async def _new_supervisor(self) -> RunSupervisor | None:
        """Return a supervisor of the run; None where its machine is not known: the run fails."""
        run = await self._stored()
        if host := self._tools.hosts.get(host_of(run)):
            return RunSupervisor(run, self._tools, host)
        await self._tools.commit([AppendRequest(run.id, decide=_host_unknown)])
        return None

    async def _stored(self) -> Run:
        """Return the run as it is stored, after a fault; before, what is known is good enough."""
        if self._task and self._task.in_a_row:
            for run in await self._tools.store.runs(ids=[self._run.id]):
                self._run = run
        return self._run


def _host_unknown(run: Run) -> list[Body]:
    """Return the end of a run that nothing here can supervise."""
    if run.status not in ACTIVE:
        return []
    error = user_error("HOST_UNKNOWN", f"The machine {printable_name(host_of(run))} is not known.")
    if run.status is Status.CANCELLING:
        return [ErrorRaised(error.info), StatusChanged(Status.CANCELLED, cause=run.cause)]
    return [ErrorRaised(error.info), status_change(Status.FAILED, Cause.ERROR, code=error.code)]
