"""The port to the workspaces of a machine: made, checked, watched and remembered where they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.domain.model import ForkOrigin, Workspace, WorkspaceSetup, WorkspaceSpec
from engine.store.appending import AppendRequest
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create.worktree import CreatedWorkspace

Commit = Callable[[Sequence[AppendRequest]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class WorkspaceRequest:
    """A workspace to make: the one of this `name` in the project, from the source in `spec`."""

    name: str
    project: str
    spec: WorkspaceSpec
    setup: WorkspaceSetup


class ChangeWatcher(Protocol):
    """Watcher of the live workspaces of a machine, which reports the files that change there."""

    def seen(self, run: str) -> int:
        """Count how often something was seen to change in a run's workspace."""
        ...

    def watch(self, run: str, root: str) -> None:
        """Watch a run's workspace, a folder of the machine, from now on."""
        ...

    def forget(self, run: str) -> None:
        """Watch it no longer."""
        ...

    async def run(self) -> None:
        """Watch until cancelled; can be called again after a fault."""
        ...


class HostWorkspaces(Protocol):
    """The workspaces on one machine; methods raise `UserError`."""

    # Make and discard

    async def prepare(
        self, request: WorkspaceRequest, stop: Callable[[], bool]
    ) -> CreatedWorkspace | None:
        """Make a workspace, again if an earlier try was cut short; None where `stop` came first.

        A caller that is cancelled waits until nothing works there any more.
        """
        ...

    async def discard(self, request: WorkspaceRequest, keep: Workspace | None) -> None:
        """Remove what an unfinished try to make a workspace left, unless it is `keep`."""
        ...

    # Use

    async def exists(self, workspace: Workspace) -> bool:
        """Return whether a workspace is there, once no clean-up that began before is at work."""
        ...

    async def find(self, run: str) -> Workspace | None:
        """Return the workspace that carries the id of a run, for a database that was lost."""
        ...

    async def working_folder(self, workspace: Workspace) -> str:
        """Return the folder in which programs work; raises WORKSPACE_MISSING."""
        ...

    async def program_files(
        self, workspace: Workspace, spec: WorkspaceSpec, commands: Sequence[str]
    ) -> Mapping[str, str]:
        """Return the files there that commands can run, each with the digest of its content."""
        ...

    def watcher(self, commit: Commit) -> ChangeWatcher:
        """Return a new watcher, which stores what it sees with `commit`."""
        ...

    # Remember

    async def make_checkpoints(
        self, run: str, workspace: Workspace, rebuildable: Collection[str]
    ) -> Checkpoints:
        """Make the store of a run's checkpoints, in place of one that was never reported."""
        ...

    async def copy_checkpoints(
        self, run: str, workspace: Workspace, origin: ForkOrigin
    ) -> Checkpoints:
        """Make the store of a fork's checkpoints: a copy of those of the run it comes from.

        It takes the place of one that was never reported.
        """
        ...

    async def open_checkpoints(self, run: str, workspace: Workspace) -> Checkpoints:
        """Open the store of a run's checkpoints; raises CHANGES_UNKNOWN without a baseline."""
        ...

    async def has_baseline(self, run: str, workspace: Workspace) -> bool:
        """Return whether the store of a run's checkpoints has a baseline: a quick check."""
        ...
