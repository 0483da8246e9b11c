"""The commit that a workspace was made from, noted in the store of the run's checkpoints."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.domain.hosts import local_path
from engine.domain.model import Workspace
from engine.system.durable import write_synced
from engine.workspaces.create.worktree import registration
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import Repository

_NAME = "swarm-made-from"


async def note(store: Path, workspace: Workspace, repository: Repository | None) -> None:
    """Note the commit that a workspace stands at now; raises `UserError` or OSError."""
    if repository is None:
        return
    place = await asyncio.to_thread(registration, repository, local_path(workspace))
    git = Git(place) if place else repository.git
    answer = await git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}")
    if answer.code == 0:
        await asyncio.to_thread(write_synced, store / _NAME, answer.out)


def noted(store: Path) -> str | None:
    """Return that commit, where it is known. Blocking."""
    try:
        return (store / _NAME).read_text("ascii").strip() or None
    except (OSError, UnicodeError):  # made before this was noted
        return None
