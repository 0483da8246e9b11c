"""The repository that a workspace came from, found in one way.

The record made with the workspace is trusted, and the repository's own knowledge; the content of
the workspace is not, where an agent may have put a `.git` of its own since.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.config import workspace_roots
from engine.domain.errors import UserError
from engine.domain.hosts import local_path
from engine.domain.model import Workspace, WorkspaceKind
from engine.workspaces.create import worktree
from engine.workspaces.git import repository
from engine.workspaces.git.repository import Repository, refs
from engine.workspaces.git.user_git_config import UserGitConfig, user_git_config


class OriginCache:
    """Cache of git's answers about repositories, for one pass over many workspaces.

    They come from few sources: what is the same for all of them is asked once. Every method
    raises `UserError` where git refuses a repository.
    """

    def __init__(self) -> None:
        self._found: dict[Path, Repository | None] = {}
        self._configs: dict[Path | None, UserGitConfig] = {}
        self._refs: dict[Path, list[tuple[str, str]]] = {}
        self._worktrees: dict[Path, list[tuple[Path, Path]]] = {}

    async def find(self, folder: Path) -> Repository | None:
        """Return the repository around a folder, or None."""
        if folder not in self._found:
            self._found[folder] = await repository.find(folder)
        return self._found[folder]

    async def config(self, found: Repository | None, somewhere: Path) -> UserGitConfig:
        """Return the user's git configuration as it counts in a repository or `somewhere`."""
        place = found.git_dir if found else None
        if place not in self._configs:
            self._configs[place] = await user_git_config(found, somewhere)
        return self._configs[place]

    async def refs(self, found: Repository) -> list[tuple[str, str]]:
        """Return the refs of a repository: object id and full name."""
        if found.common_dir not in self._refs:
            self._refs[found.common_dir] = await refs(found.git)
        return self._refs[found.common_dir]

    async def worktrees(self, found: Repository) -> list[tuple[Path, Path]]:
        """Return the worktrees of a repository: the folder of each, and what is kept."""
        if found.common_dir not in self._worktrees:
            self._worktrees[found.common_dir] = await asyncio.to_thread(
                worktree.registrations, found
            )
        return self._worktrees[found.common_dir]


async def origin(workspace: Workspace, asked: OriginCache | None = None) -> Repository | None:
    """Return the repository that outlives a workspace, as its source sees it; None without one.

    Raises `UserError` where git refuses it.
    """
    asked = asked or OriginCache()
    source = Path(workspace.source) if workspace.source else None
    if workspace.kind is WorkspaceKind.FROM_RUN:
        return await _of_earlier(workspace, source, asked) if workspace.branch else None
    if workspace.kind is not WorkspaceKind.WORKTREE:
        return await _of_folder(source, asked) if source else None
    found = await asked.find(source) if source else None
    if found and source and not source.is_dir():  # what lies above it may be another's
        return found if worktree.registration(found, local_path(workspace)) else None
    return found


async def _of_folder(source: Path, asked: OriginCache) -> Repository | None:
    """Return the repository around a folder whose files alone are needed, if git may run in it."""
    try:
        found = await asked.find(source)
    except UserError as error:
        if error.entry.hides_repository:
            return None
        raise
    return found if found is None or source.is_dir() else None


async def _of_earlier(
    workspace: Workspace, source: Path | None, asked: OriginCache
) -> Repository | None:
    """Return the repository of an earlier run's workspace, whichever of the two is still there.

    The content of a workspace may be forged: only a repository outside all of them is trusted,
    and only where it has the workspace registered in turn.
    """
    workspaces = local_path(workspace).parent.parent
    for place in (local_path(workspace), source):
        if place is None or not place.is_dir():
            continue
        if workspace_roots.is_in_any(place, workspaces):
            found = await repository.find_outside(place, workspaces)
        else:
            found = await asked.find(place)
        if found and (worktree.registration(found, place) or place == found.common_dir):
            return found
    return None
