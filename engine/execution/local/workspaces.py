"""The workspaces of this machine: folders, made and remembered by programs here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from engine.config import workspace_roots
from engine.config.locks import lock_for, locked
from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.domain.hosts import local_path
from engine.domain.model import ForkOrigin, Workspace, WorkspaceSpec
from engine.execution.host_workspaces import Commit, WorkspaceRequest
from engine.execution.local.recorded import workspace_of
from engine.execution.local.watcher import WorkspaceWatcher
from engine.system.environment import distrust
from engine.workspaces.apply import placement
from engine.workspaces.checkpoints.checkpoint_refs import has_baseline
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create.create import discard, make, root_of
from engine.workspaces.create.working_folder import working_folder
from engine.workspaces.create.worktree import CreatedWorkspace
from engine.workspaces.files.named_files import RecordLimitError, record


class LocalWorkspaces:
    """The workspaces of a home, in its own folder or in the root of the settings."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    async def prepare(
        self, request: WorkspaceRequest, stop: Callable[[], bool]
    ) -> CreatedWorkspace | None:
        """Make the folder."""
        roots = await asyncio.to_thread(workspace_roots.known, self._paths.home)
        distrust(map(str, roots))  # another process may have noted one since
        is_closing = False
        wanted = request.setup
        making = asyncio.create_task(
            asyncio.to_thread(
                make,
                request.spec,
                self._target(request),
                self._paths.home,
                lambda: is_closing or stop(),
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
            is_closing = True
            await asyncio.wait({making})  # the next engine must find no process at work there
            raise

    async def discard(self, request: WorkspaceRequest, keep: Workspace | None) -> None:
        """Remove the folder."""
        target = self._target(request)
        if not os.path.lexists(target) or (keep and local_path(keep) == target):
            return
        await asyncio.to_thread(discard, request.spec, target, self._paths.home)

    async def exists(self, workspace: Workspace) -> bool:
        """Look for the folder, then wait for a clean-up that has it locked."""
        folder = local_path(workspace)
        if not await asyncio.to_thread(folder.is_dir):
            return False
        async with locked(lock_for(self._paths.home, folder)):
            return True

    async def find(self, run: str) -> Workspace | None:
        """Look for the folder in the roots of workspaces."""
        return await asyncio.to_thread(workspace_of, run, self._paths)

    async def working_folder(self, workspace: Workspace) -> str:
        """Return the real path of the folder in which programs work."""
        if not await asyncio.to_thread(local_path(workspace).is_dir):
            raise user_error("WORKSPACE_MISSING")
        return str(await asyncio.to_thread(working_folder, workspace))

    async def program_files(
        self, workspace: Workspace, spec: WorkspaceSpec, commands: Sequence[str]
    ) -> Mapping[str, str]:
        """Read the files that the commands name."""

        def read() -> Mapping[str, str]:
            return record(local_path(workspace), commands, root_of(spec), [workspace.cwd]).run

        try:
            return await asyncio.to_thread(read)
        except RecordLimitError as error:
            raise user_error(
                "SETUP_NOT_TRUSTED",
                f"What the repository's commands name in the workspace cannot be checked: {error}.",
            ) from error
        except OSError as error:
            raise user_error("WORKSPACE_MISSING") from error

    def watcher(self, commit: Commit) -> WorkspaceWatcher:
        """Return a watcher with one watch of the system."""
        return WorkspaceWatcher(commit)

    async def make_checkpoints(
        self, run: str, workspace: Workspace, rebuildable: Collection[str]
    ) -> Checkpoints:
        """Make the store in the run's folder."""
        return await Checkpoints.make(self._store(run, workspace), workspace, rebuildable)

    async def copy_checkpoints(
        self, run: str, workspace: Workspace, origin: ForkOrigin
    ) -> Checkpoints:
        """Copy the store of the other run's folder."""
        source = self._store(origin.run, origin.workspace)
        return await Checkpoints.copied(source, self._store(run, workspace), workspace)

    async def open_checkpoints(self, run: str, workspace: Workspace) -> Checkpoints:
        """Open the store in the run's folder, and finish what a killed program had begun."""
        store = await Checkpoints.open(self._store(run, workspace), workspace)
        if placement.is_unfinished(store.git.git_dir) and local_path(workspace).is_dir():
            await placement.finish(store)
        return store

    async def has_baseline(self, run: str, workspace: Workspace) -> bool:
        """Look into the store in the run's folder."""
        store = self._store(run, workspace)

        def is_whole() -> bool:  # with files on their way, it has to be opened again
            return has_baseline(store) and not placement.is_unfinished(store)

        return await asyncio.to_thread(is_whole)

    def _store(self, run: str, workspace: Workspace) -> Path:
        return self._paths.checkpoints(run, local_path(workspace))

    def _target(self, request: WorkspaceRequest) -> Path:
        return self._paths.workspace(request.project, request.name, request.setup.root)
