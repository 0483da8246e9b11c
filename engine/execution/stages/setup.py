"""A workspace's set-up commands, run before the agent starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict

from engine.domain.activity import clock
from engine.domain.errors import user_error
from engine.domain.events import Body, Progressed
from engine.domain.hosts import disk_full
from engine.domain.model import Run, Stage, Workspace, WorkspaceSetup
from engine.execution.executor import AttemptRef, Executor
from engine.execution.stages.stage_commands import CommandsResult, StageCommands, shown

AppendBodies = Callable[[Sequence[Body]], Awaitable[None]]


class SetupStage(StageCommands):
    """Runs the set-up commands of one attempt."""

    def __init__(
        self,
        executor: Executor,
        ref: AttemptRef,
        grace_s: float,
        base: Callable[[], Awaitable[Mapping[str, str]]],
        append: AppendBodies,
    ) -> None:
        super().__init__("set-up", executor, ref, grace_s, base)
        self._append = append

    async def set_up(self, run: Run, workspace: Workspace, stop: Callable[[], bool]) -> bool:
        """Run the commands to their end; False where `stop` came first.

        Then their processes are still alive: `end` ends them. Raises `UserError`.
        """
        wanted, details = run.spec.preparation, {**asdict(workspace), "is_set_up": False}
        said = run.doing
        if run.is_set_up or run.workspace != workspace:
            said = _doing(wanted, 1)
            await self._append([Progressed(Stage.WORKSPACE_PREP, said, 0, details)])

        async def at(place: int) -> None:
            nonlocal said
            if (doing := _doing(wanted, place)) not in ("", said):
                said = doing
                await self._append([Progressed(Stage.WORKSPACE_PREP, doing, 0)])

        folder = await self._executor.workspaces.working_folder(workspace)
        done = await self.run(wanted.setup, folder, wanted.setup_limit_s, stop, at)
        if done is None:
            return False
        await self._append(done.bodies)
        self._judge(done, wanted, workspace.host)
        return True

    def _judge(self, done: CommandsResult, wanted: WorkspaceSetup, host: str) -> None:
        """Raise `UserError` unless the commands ended well."""
        if done.exit_code == 0:
            return
        if done.disk_full:
            raise disk_full(host)
        words = done.said()
        said = f":\n{words}" if words else "."
        if done.is_late:
            raise user_error(
                "SETUP_FAILED",
                f"The set-up took longer than its limit of {clock(wanted.setup_limit_s)}{said}",
                "Raise workspace.setup_limit in the settings and start a new run, or fix what "
                "hangs, see `swarm-tui logs --setup`, and retry.",
            )
        how = "vanished" if done.exit_code is None else f"failed with exit {done.exit_code}"
        command = shown(wanted.setup, done.place)
        raise user_error(
            "SETUP_FAILED", f"{f'`{command}`' if command else 'The set-up'} {how}{said}"
        )


def _doing(wanted: WorkspaceSetup, place: int) -> str:
    command, count = shown(wanted.setup, place), len(wanted.setup)
    which = f" ({place} of {count})" if count > 1 else ""
    return command and f"set-up{which}: {command}"
