"""The branches and commits that the working trees of a repository have checked out.

Read from files, since there may be many. A repository with reftables does not name it in `HEAD`:
git is asked there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engine.config import workspace_roots
from engine.system.files import read_regular
from engine.workspaces.git.bare import is_bare
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import POINTER_BYTES, Repository

REFTABLE_HEAD = b"ref: refs/heads/.invalid"
"""Text of `HEAD` in a repository with reftables, whatever is checked out."""
_BUSY = (
    *("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply"),
    *("BISECT_LOG", "sequencer"),
)
_BUSY_REFS = ("CHERRY_PICK_HEAD", "REVERT_HEAD")


@dataclass(frozen=True, slots=True)
class _WorkingTree:
    git_dir: Path
    top: Path
    head: bytes


async def checked_out(git_dir: Path) -> str | None:
    """Return the full name of the branch that is checked out; None where it is not a branch."""
    return await _branch(git_dir, await asyncio.to_thread(_head_in, git_dir))


async def checked_out_in(repository: Repository, branch: str) -> list[Path]:
    """Return the working trees that have this branch checked out."""
    trees = await asyncio.to_thread(_with_files, repository.common_dir)
    return [
        one.top for one in trees if await _branch(one.git_dir, one.head) == f"refs/heads/{branch}"
    ]


async def worktrees_beside(repository: Repository, without: Path) -> list[Path]:
    """Return the linked worktrees that are there, but those below the folder `without`."""
    trees = await asyncio.to_thread(_working_trees, repository.common_dir)
    tops = [one.top for one in trees if one.git_dir != repository.common_dir and one.top.is_dir()]
    return sorted(top for top in tops if not workspace_roots.is_in_any(top, without))


async def detached(repository: Repository, without: Collection[Path]) -> set[str]:
    """Return the commits that working trees have checked out without a branch.

    Those at or below the folders `without` are left out.
    """
    found: set[str] = set()
    for one in await asyncio.to_thread(_working_trees, repository.common_dir):
        if any(one.top.is_relative_to(place) for place in without):
            continue
        if sha := await _detached_at(one):
            found.add(sha)
    return found


async def busy_with(repository: Repository) -> str | None:
    """Return the user's unfinished operation in this working tree, such as a merge, or None."""
    git_dir = repository.git_dir
    found = next((name for name in _BUSY if (git_dir / name).exists()), None)
    if found is None and await asyncio.to_thread(_head_in, git_dir) == REFTABLE_HEAD:
        for name in _BUSY_REFS:
            if (await repository.git.ask("rev-parse", "-q", "--verify", name)).code == 0:
                found = name
    return f"the repository is in the middle of something ({found})" if found else None


async def _branch(git_dir: Path, head: bytes) -> str | None:
    if head == REFTABLE_HEAD:
        answer = await Git(git_dir).ask("symbolic-ref", "-q", "HEAD")
        return os.fsdecode(answer.out.removesuffix(b"\n")) if answer.code == 0 else None
    return os.fsdecode(head.removeprefix(b"ref: ")) if head.startswith(b"ref: ") else None


async def _detached_at(one: _WorkingTree) -> str | None:
    if one.head != REFTABLE_HEAD:
        return one.head.decode("ascii") if _is_object_id(one.head) else None
    if await _branch(one.git_dir, one.head):
        return None
    answer = await Git(one.git_dir).ask("rev-parse", "-q", "--verify", "HEAD^{commit}")
    return answer.out.decode("ascii").strip() if answer.code == 0 else None


def _is_object_id(text: bytes) -> bool:
    return len(text) in (40, 64) and not set(text) - set(b"0123456789abcdef")


def _head_in(git_dir: Path) -> bytes:
    try:
        return read_regular(git_dir / "HEAD", POINTER_BYTES).strip()
    except OSError:
        return b""


def _with_files(common_dir: Path) -> list[_WorkingTree]:
    """Return the working trees without a bare repository, whose HEAD is not used. Blocking."""
    trees = _working_trees(common_dir)
    return trees[1:] if is_bare(common_dir) else trees


def _working_trees(common_dir: Path) -> list[_WorkingTree]:
    """Return the working trees of a repository. Blocking."""
    folder = common_dir / "worktrees"
    top = common_dir.parent if common_dir.name == ".git" else common_dir
    found = [_WorkingTree(common_dir, top, _head_in(common_dir))]
    for place in folder.iterdir() if folder.is_dir() else ():
        try:
            link = os.fsdecode(read_regular(place / "gitdir", POINTER_BYTES).strip())
        except OSError:
            continue
        found.append(_WorkingTree(place, (place / link).parent, _head_in(place)))
    return found
