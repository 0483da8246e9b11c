"""A run's workspace made and set up, as the first of its steps."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from engine.config import ports, run_environment, workspace_roots
from engine.config.locks import lock_for, locked
from engine.config.paths import Paths
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Notice, Progressed
from engine.domain.model import Run, Stage, Status, WorkspaceKind, WorkspaceSpec
from engine.domain.reasons import Cause
from engine.domain.requests import check_known, check_not_deleted
from engine.execution.executor import AttemptPart, AttemptRef, Executor
from engine.execution.stages.command_guard import CommandGuard
from engine.execution.stages.setup import SetupStage
from engine.store.reading import StoreReader
from engine.system.environment import distrust
from engine.workspaces.create.create import discard, make
from engine.workspaces.create.worktree import CreatedWorkspace

AppendBodies = Callable[[Sequence[Body]], Awaitable[None]]


class WorkspaceStage:
    """Stage that prepares one run's attempt; `now` returns the run at any moment."""

    def __init__(
        self,
        paths: Paths,
        executor: Executor,
        grace_s: float,
        now: Callable[[], Run],
        append: AppendBodies,
        store: StoreReader,
    ) -> None:
        self._paths = paths
        self._store = store
        self._grace_s = grace_s
        self._now = now
        self._append = append
        self._closing = False
        run = now()
        ref = AttemptRef(run.id, run.attempt, AttemptPart.SETUP)
        self._setting_up = SetupStage(
            executor, ref, grace_s, lambda: run_environment.of_run(paths, now()), append
        )

    async def workspace(self, run: Run, *, fresh: bool) -> CreatedWorkspace | None:
        """Return the workspace, ready: the one there is, or a new one where `fresh`.

        None where a cancel came in between. Raises `UserError`.
        """
        check_known(run.spec)
        await ports.assign(self._paths, run.id, self._store)
        begun = not run.is_set_up and await self._setting_up.has_begun()
        if run.workspace and Path(run.workspace.path).is_dir() and (begun or not fresh):
            # A clean-up that began before this attempt did is to be over.
            async with locked(lock_for(self._paths.home, Path(run.workspace.path))):
                made, is_set_up = CreatedWorkspace(run.workspace), run.is_set_up
        else:
            made, is_set_up = await self._make(run), False
        if made is None or is_set_up:
            return made
        return await self._set_up(run, made)

    async def _set_up(self, run: Run, made: CreatedWorkspace) -> CreatedWorkspace | None:
        """Run the set-up commands, between two looks at what a repository's commands can run."""
        guard = CommandGuard(self._paths, run, made.workspace)
        if not await self._setting_up.has_begun():
            await asyncio.to_thread(guard.check_new)
        if not run.spec.preparation.setup:
            await asyncio.to_thread(guard.note)
            return made
        await self._append([Notice("info", notice) for notice in made.notices])
        try:
            done = await self._setting_up.set_up(self._now(), made.workspace, self._stop)
        finally:
            await asyncio.to_thread(guard.note)
        return CreatedWorkspace(made.workspace) if done else None

    async def end(self) -> None:
        """End what is still at work after a cancel."""
        grace_s = 0.0 if self._in_a_hurry() else self._grace_s
        await self._setting_up.end(grace_s, self._in_a_hurry)
        await self._discard(self._now())

    async def abandon(self) -> None:
        """End what is at work at once."""
        await self._setting_up.end(0, lambda: True)

    def release(self) -> None:
        """Release the running work, alive."""
        self._setting_up.release()

    async def _make(self, run: Run) -> CreatedWorkspace | None:
        await self._append([Progressed(Stage.WORKSPACE_PREP, "preparing the workspace", 0)])
        target = self._target(run)
        roots = await asyncio.to_thread(workspace_roots.known, self._paths.home)
        distrust(map(str, roots))  # another process may have noted one since
        wanted, wish = run.spec.preparation, await self._wish(run)
        making = asyncio.create_task(
            asyncio.to_thread(
                make,
                wish,
                target,
                self._paths.home,
                self._stop,
                wanted.ignore,
                wanted.copy_files,
                wanted.copy_limit,
                wanted.branch,
            )
        )
        try:
            return await asyncio.shield(making)
        except InterruptedError:
            return None
        except asyncio.CancelledError:
            self._closing = True
            await asyncio.wait({making})  # the next engine must find no process at work there
            raise

    def _target(self, run: Run) -> Path:
        # A fresh start gets a folder of its own: what was done before stays where it is.
        name = run.id if run.workspace is None else f"{run.id}-{run.attempt}"
        return self._paths.workspace(run.spec.project, name, run.spec.preparation.root)

    async def _discard(self, run: Run) -> None:
        """Remove a workspace that an engine before this one had begun to make."""
        target = self._target(run)
        if not os.path.lexists(target) or (run.workspace and run.workspace.path == str(target)):
            return
        try:
            wish = await self._wish(run)
        except UserError:  # what it was to start from is gone
            wish = WorkspaceSpec()
        await asyncio.to_thread(discard, wish, target, self._paths.home)

    async def _wish(self, run: Run) -> WorkspaceSpec:
        """Return the workspace that is asked for, with the path of the run's it starts from."""
        wish = run.spec.workspace
        if wish.kind is not WorkspaceKind.FROM_RUN or not wish.source or "/" in wish.source:
            return wish
        for earlier in await self._store.runs(ids=[wish.source]):
            if earlier.workspace:
                check_not_deleted(earlier)
                cwd = earlier.workspace.cwd if wish.cwd is None else wish.cwd
                return replace(wish, source=earlier.workspace.path, cwd=cwd)
        raise user_error(
            "WORKSPACE_MISSING", f"The run {wish.source}, to start from, has no workspace."
        )

    def _stop(self) -> bool:
        return self._closing or self._now().status is Status.CANCELLING

    def _in_a_hurry(self) -> bool:
        return self._now().cause is Cause.KILL
