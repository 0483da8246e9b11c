"""The commit that a workspace was made from, noted in the store of the run's checkpoints.

With it goes the branch that the source had checked out then.
"""

from __future__ import annotations

import asyncio
import os
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
        branch = os.fsencode(repository.branch or "")
        await asyncio.to_thread(write_synced, store / _NAME, answer.out + branch + b"\n")


def place(store: Path) -> Path:
    """Return the file of a store that the commit and the branch are noted in."""
    return store / _NAME


def noted(store: Path) -> str | None:
    """Return that commit, where it is known. Blocking."""
    commit, _, _ = _read(store).partition(b"\n")
    return commit.decode("ascii", "replace").strip() or None


def noted_branch(store: Path) -> str | None:
    """Return the full name of the branch, where one was checked out and is known. Blocking."""
    _, _, branch = _read(store).partition(b"\n")
    return os.fsdecode(branch.strip(b"\n")) or None


def _read(store: Path) -> bytes:
    try:
        return (store / _NAME).read_bytes()
    except OSError:  # made before this was noted
        return b""
