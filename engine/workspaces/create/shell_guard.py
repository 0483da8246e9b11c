"""Guard for git in a shell or an editor that the user opens in a workspace.

A prompt or a plug-in runs git by itself, in the current folder. Settings, filters and hooks of a
repository that an agent made there would run as the user. Only repositories are used that are the
user's own; all others are refused as git refuses those of other users, before it reads a setting.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.domain.errors import UserError
from engine.domain.hosts import local_path
from engine.domain.model import Workspace, WorkspaceKind
from engine.system.files import read_regular
from engine.workspaces.create.origin import origin
from engine.workspaces.create.worktree import registration
from engine.workspaces.git.repository import POINTER_BYTES, Repository

SWITCH = "GIT_TEST_ASSUME_DIFFERENT_OWNER"
"""Variable by which git >= 2.35.2 takes each repository for another user's, as its tests do."""


@dataclass(frozen=True, slots=True)
class ShellGuard:
    """The repository of the user's own in a workspace, if there is one."""

    own: Path | None = None
    """Working tree of that repository."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the shell gets beside its environment."""
        trusted = {str(self.own), os.path.realpath(self.own)} if self.own else set[str]()
        settings = [
            ("safe.directory", ""),  # takes back what the user's settings allow
            *(("safe.directory", path) for path in sorted(trusted)),
            ("safe.bareRepository", "explicit"),
            ("core.fsmonitor", "false"),
            # git in a submodule gets none of these: it is not started to look for changes there.
            ("diff.ignoreSubmodules", "dirty"),
            ("protocol.ext.allow", "never"),
        ]
        found = {"GIT_CONFIG_COUNT": str(len(settings)), SWITCH: "1", "HGRCSKIPREPO": "1"}
        for number, (key, value) in enumerate(settings):
            found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return found


async def guard_of(workspace: Workspace) -> ShellGuard:
    """Return the guard for a workspace: the repository of a worktree is the user's own.

    The `.git` folder of any other workspace may be written by its agent.
    """
    if workspace.kind is not WorkspaceKind.WORKTREE:
        return ShellGuard()
    with suppress(UserError):
        found = await origin(workspace)
        path = local_path(workspace)
        if found and await asyncio.to_thread(_is_worktree_of, found, path):
            return ShellGuard(path)
    return ShellGuard()


def _is_worktree_of(repository: Repository, path: Path) -> bool:
    """Return whether `.git` names the place where the repository knows this worktree."""
    place = registration(repository, path)
    try:
        said = read_regular(path / ".git", POINTER_BYTES)
    except OSError:
        return False
    named = os.path.realpath(path / os.fsdecode(said.removeprefix(b"gitdir:").strip()))
    return place is not None and named == os.path.realpath(place)
