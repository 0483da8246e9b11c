"""A run's verify command, run in the workspace after the agent: its outcome decides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from engine.config.paths import Paths
from engine.domain.activity import clock
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Progressed
from engine.domain.hosts import disk_full, host_of
from engine.domain.model import Run, Stage
from engine.domain.reasons import Cause
from engine.execution.executor import AttemptPart, AttemptRef, Executor
from engine.execution.stages.command_guard import CommandGuard
from engine.execution.stages.stage_commands import CommandsResult, StageCommands, shown
from engine.execution.stages.start_request import commands_base

PERCENT = 80
FED_LINES, FED_CHARACTERS = 200, 8000
"""Part of the output that the agent gets to read."""

AppendBodies = Callable[[Sequence[Body]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of the check: the run's error, if it failed, and the end of the output."""

    error: UserError | None
    output: str = ""


class VerifyStage(StageCommands):
    """Stage that runs the verify command of one attempt; `now` returns the run at any moment."""

    def __init__(
        self,
        paths: Paths,
        executor: Executor,
        grace_s: float,
        now: Callable[[], Run],
        append: AppendBodies,
    ) -> None:
        run = now()
        ref = AttemptRef(run.id, run.attempt, AttemptPart.VERIFY)
        super().__init__(
            "check", executor, ref, grace_s, lambda: commands_base(executor, paths, now())
        )
        self._paths = paths
        self._now = now
        self._append = append

    async def verify(self, run: Run, stop: Callable[[], bool]) -> VerifyResult | None:
        """Run the command to its end; None where `stop` came first: `cancel` ends it then.

        Raises `UserError` where the result does not depend on the agent's work.
        """
        command = run.spec.verify or "true"
        if not run.workspace:
            raise user_error("WORKSPACE_MISSING")
        await self._executor.workspaces.working_folder(run.workspace)
        if not await self.has_begun():
            workspaces = self._executor.workspaces
            await CommandGuard(self._paths, workspaces, run, run.workspace).check_verify()
        if run.stage is not Stage.VERIFYING:
            doing = f"running `{shown([command], 1)}`"
            await self._append([Progressed(Stage.VERIFYING, doing, PERCENT)])
        # Looked up again: an agent can put a link in its place.
        folder = await self._executor.workspaces.working_folder(run.workspace)
        done = await self.run([command], folder, run.spec.verify_limit_s, stop, _nothing)
        if done is None:
            return None
        await self._append(done.bodies)
        return self._judged(done, command, run)

    async def cancel(self) -> None:
        """End what is still at work after a cancel."""
        hurried = self._now().cause is Cause.KILL
        await self.end(0 if hurried else self._grace_s, lambda: self._now().cause is Cause.KILL)

    def _judged(self, done: CommandsResult, command: str, run: Run) -> VerifyResult:
        limit_s, host = run.spec.verify_limit_s, host_of(run)
        if done.exit_code == 0:
            return VerifyResult(None)
        if done.disk_full:
            raise disk_full(host)
        if done.is_late:
            how = f"took longer than its limit of {clock(limit_s)}"
        else:
            how = "vanished" if done.exit_code is None else f"failed with exit {done.exit_code}"
        said = done.said()
        what = f"`{shown([command], 1)}` {how}{f':{chr(10)}{said}' if said else '.'}"
        return VerifyResult(user_error("VERIFY_FAILED", what), done.said(FED_LINES, FED_CHARACTERS))


async def _nothing(_: int) -> None:
    """Ignore the place: there is one command only, reported when it began."""
