"""A run's workspace made and set up, as the first of its steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from engine.config import ports
from engine.config.paths import Paths
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Notice, Progressed
from engine.domain.hosts import host_of
from engine.domain.model import Run, Stage, Status, WorkspaceKind, WorkspaceSpec
from engine.domain.reasons import Cause
from engine.domain.requests import check_known, check_not_deleted
from engine.execution.executor import AttemptPart, AttemptRef, Executor
from engine.execution.host_workspaces import WorkspaceRequest
from engine.execution.stages.command_guard import CommandGuard
from engine.execution.stages.setup import SetupStage
from engine.execution.stages.start_request import commands_base
from engine.store.reading import StoreReader
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
        self._workspaces = executor.workspaces
        self._store = store
        self._grace_s = grace_s
        self._now = now
        self._append = append
        run = now()
        ref = AttemptRef(run.id, run.attempt, AttemptPart.SETUP)
        self._setting_up = SetupStage(
            executor, ref, grace_s, lambda: commands_base(executor, paths, now()), append
        )

    async def workspace(self, run: Run, *, fresh: bool) -> CreatedWorkspace | None:
        """Return the workspace, ready: the one there is, or a new one where `fresh`.

        None where a cancel came in between. Raises `UserError`.
        """
        check_known(run.spec)
        await ports.assign(self._paths, run.id, self._store)
        begun = not run.is_set_up and await self._setting_up.has_begun()
        known = run.workspace if begun or not fresh else None
        if known and known.host != host_of(run):  # its node is lost
            known = None
        if known and await self._workspaces.exists(known):
            made, is_set_up = CreatedWorkspace(known), run.is_set_up
        else:
            made, is_set_up = await self._make(run), False
        if made is None or is_set_up:
            return made
        return await self._set_up(run, made)

    async def _set_up(self, run: Run, made: CreatedWorkspace) -> CreatedWorkspace | None:
        """Run the set-up commands, between two looks at what a repository's commands can run."""
        guard = CommandGuard(self._paths, self._workspaces, run, made.workspace)
        if not await self._setting_up.has_begun():
            await guard.check_new()
        if not run.spec.preparation.setup:
            await guard.note()
            return made
        await self._append([Notice("info", notice) for notice in made.notices])
        try:
            done = await self._setting_up.set_up(self._now(), made.workspace, self._stop)
        finally:
            await guard.note()
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
        request = self._request(run, await self._wish(run))
        made = await self._workspaces.prepare(request, self._stop)
        if made is None or run.spec.fork is None:
            return made
        # A copy of the original's, but measured and applied as that is.
        like = run.spec.fork.workspace
        mine = replace(made.workspace, kind=like.kind, source=like.source)
        return replace(made, workspace=mine)

    def _request(self, run: Run, wish: WorkspaceSpec) -> WorkspaceRequest:
        # A fresh start gets a folder of its own: what was done before stays where it is.
        name = run.id if run.workspace is None else f"{run.id}-{run.attempt}"
        return WorkspaceRequest(name, run.spec.project, wish, run.spec.preparation)

    async def _discard(self, run: Run) -> None:
        """Remove a workspace that an engine before this one had begun to make."""
        try:
            wish = await self._wish(run)
        except UserError:  # what it was to start from is gone
            wish = WorkspaceSpec()
        await self._workspaces.discard(self._request(run, wish), run.workspace)

    async def _wish(self, run: Run) -> WorkspaceSpec:
        """Return the workspace that is asked for, with the path of the run's it starts from."""
        wish = run.spec.workspace
        if origin := run.spec.fork:
            place = origin.workspace
            return replace(wish, kind=WorkspaceKind.FROM_RUN, source=place.path, cwd=place.cwd)
        if wish.kind is not WorkspaceKind.FROM_RUN or not wish.source or "/" in wish.source:
            return wish
        for earlier in await self._store.runs(ids=[wish.source]):
            if earlier.workspace:
                check_not_deleted(earlier)
                cwd = earlier.workspace.cwd if wish.cwd is None else wish.cwd
                place = earlier.workspace
                if place.host != host_of(run):
                    raise user_error("WORKSPACE_REMOTE")
                return replace(wish, source=place.path, cwd=cwd)
        raise user_error(
            "WORKSPACE_MISSING", f"The run {wish.source}, to start from, has no workspace."
        )

    def _stop(self) -> bool:
        return self._now().status is Status.CANCELLING

    def _in_a_hurry(self) -> bool:
        return self._now().cause is Cause.KILL
