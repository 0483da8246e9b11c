"""The repository that a workspace came from, found in one way.

What was written down when the workspace was made is believed, and what the repository itself knows;
not what lies in the workspace, where an agent may have put a `.git` of its own since.
"""

from __future__ import annotations

from pathlib import Path

from engine.domain.model import Workspace, WorkspaceKind
from engine.workspace.repository import Repository, find
from engine.workspace.worktree import registration


async def origin(workspace: Workspace) -> Repository | None:
    """Give the repository that outlives a workspace, as its source sees it; None without one.

    Raises `UserError` where git refuses it.
    """
    source = Path(workspace.source) if workspace.source else None
    if workspace.kind is WorkspaceKind.FROM_RUN:
        return await _of_earlier(workspace, source) if workspace.branch else None
    found = await find(source) if source else None
    if found and source and not source.is_dir():  # what lies above it may be another's
        return found if registration(found, Path(workspace.path)) else None
    return found


async def _of_earlier(workspace: Workspace, source: Path | None) -> Repository | None:
    """Give the repository of an earlier run's workspace, whichever of the two is still there."""
    for place in (Path(workspace.path), source):
        found = await find(place) if place and place.is_dir() else None
        if found and place and (registration(found, place) or place == found.common_dir):
            return found
    return None
