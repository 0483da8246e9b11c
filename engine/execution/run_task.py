"""One active run in the tree of tasks: its supervisor, restarted after faults of that run alone."""

from __future__ import annotations

from collections.abc import Callable

from engine.agents.base import OutcomeKind
from engine.domain.model import Run, Status
from engine.domain.reasons import Cause
from engine.execution.supervisor import RunSupervisor, SupervisorContext
from engine.execution.task_tree import SupervisedTask


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
            f"run {run_id}", self._carry, run=run_id, give_up=self._fail
        )
        self._task.when_done(ended)

    def see(self, run: Run) -> None:
        """Take in the run as it is now; a cancel ends the rest after a fault."""
        self._run = run
        if self._supervisor:
            self._attempt(lambda supervisor: supervisor.poke(run))
        elif self._task and run.status is Status.CANCELLING:
            wanted = (run.status, run.cause)
            if wanted != self._woken_for:
                self._woken_for = wanted
                self._task.wake()

    def check(self, run: Run, now: float) -> None:
        """Look after the run, also at changes that no event reported."""
        self.see(run)
        self._attempt(lambda supervisor: supervisor.check(now))

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

    async def _carry(self) -> None:
        self._supervisor = supervisor = RunSupervisor(await self._stored(), self._tools)
        try:
            await supervisor.carry()
        finally:
            self.outcome = supervisor.outcome
            self._supervisor = None

    async def _fail(self, error: BaseException) -> None:
        await RunSupervisor(await self._stored(), self._tools).fail(error)

    async def _stored(self) -> Run:
        """Return the run as it is stored, after a fault; before, what is known is good enough."""
        if self._task and self._task.in_a_row:
            for run in await self._tools.store.runs(ids=[self._run.id]):
                self._run = run
        return self._run
