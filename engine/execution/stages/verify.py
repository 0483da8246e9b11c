"""A run's verify command, run in the workspace after the agent: its outcome decides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config import run_environment
from engine.config.paths import AttemptFolder, Paths
from engine.domain.activity import clock
from engine.domain.errors import UserError, reported, user_error
from engine.domain.events import Body, Progressed
from engine.domain.model import Run, Stage
from engine.domain.reasons import Cause
from engine.execution.stages.command_guard import CommandGuard
from engine.execution.stages.stage_commands import CommandsResult, StageCommands, shown
from engine.workspaces.create.working_folder import working_folder

PERCENT = 80
FED_LINES, FED_CHARACTERS = 200, 8000
"""How much of the output the agent gets to read."""

Say = Callable[[Sequence[Body]], Awaitable[None]]


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
        folder: AttemptFolder,
        grace_s: float,
        now: Callable[[], Run],
        say: Say,
    ) -> None:
        super().__init__(
            "check", folder.verify, grace_s, lambda: run_environment.of_run(paths, now())
        )
        self._paths = paths
        self._now = now
        self._say = say

    async def verify(self, run: Run, stop: Callable[[], bool]) -> VerifyResult | None:
        """Run the command to its end; None where `stop` came first: `cancel` ends it then.

        Raises `UserError` where the result does not depend on the agent's work.
        """
        command, workspace = (
            run.spec.verify or "true",
            Path(run.workspace.path if run.workspace else ""),
        )
        if not run.workspace or not await asyncio.to_thread(workspace.is_dir):
            raise user_error("WORKSPACE_MISSING")
        if not self.begun:
            guard = CommandGuard(self._paths, run, run.workspace)
            await asyncio.to_thread(guard.check_verify)
        if run.stage is not Stage.VERIFYING:
            doing = f"running `{shown([command], 1)}`"
            await self._say([Progressed(Stage.VERIFYING, doing, PERCENT)])
        folder = await asyncio.to_thread(working_folder, run.workspace)
        done = await self.run([command], folder, run.spec.verify_limit_s, stop, _nothing)
        if done is None:
            return None
        await self._say(done.bodies)
        return self._judged(done, command, run.spec.verify_limit_s)

    async def cancel(self) -> None:
        """End what is still at work after a cancel."""
        hurried = self._now().cause is Cause.KILL
        await self.end(0 if hurried else self._grace_s, lambda: self._now().cause is Cause.KILL)

    def _judged(self, done: CommandsResult, command: str, limit_s: float) -> VerifyResult:
        if done.exit_code == 0:
            return VerifyResult(None)
        if done.disk_full:
            raise reported("DISK_FULL")
        if done.is_late:
            how = f"took longer than its limit of {clock(limit_s)}"
        else:
            how = "vanished" if done.exit_code is None else f"failed with exit {done.exit_code}"
        said = self.said()
        what = f"`{shown([command], 1)}` {how}{f':{chr(10)}{said}' if said else '.'}"
        return VerifyResult(user_error("VERIFY_FAILED", what), self.said(FED_LINES, FED_CHARACTERS))


async def _nothing(_: int) -> None:
    """Ignore the place: there is one command only, reported when it began."""
