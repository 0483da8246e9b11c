"""Worktrees as the user's repository knows them: kept, taken out, put back."""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.disk import unpushed_commits
from engine.disk.trash_entry import TrashEntry
from engine.disk.trash_moves import fill
from engine.domain.errors import UserError, user_error
from engine.domain.model import Workspace
from engine.domain.text import printable_name
from engine.workspaces.create import worktree
from engine.workspaces.create.origin import origin
from engine.workspaces.git import branch_settings, repository
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import Repository

_log = logging.getLogger(__name__)


async def repository_of(workspace: Workspace) -> Repository | None:
    """Return the repository that a workspace is registered in, if it is a worktree.

    It is the one that stays when worktrees go, not the registration of one of them.
    """
    if workspace.branch is None:
        return None
    with suppress(UserError):
        found = await origin(workspace)
        return await repository.at(found) if found else None
    return None


async def keep(found: Repository, entry: TrashEntry, folder: Path) -> TrashEntry:
    """Note where a worktree stands; keep its index, its submodules, and what only it reaches."""
    assert entry.branch
    place = worktree.registration(found, Path(entry.path))
    head = await unpushed_commits.head(Git(place)) if place else None
    tip = await worktree.tip_of(found.git, entry.branch) or head  # the agent may have removed it
    if tip is None:
        return entry
    if place:
        await asyncio.to_thread(_copy, place, folder)
    holding = await unpushed_commits.of_branch(entry.workspace, found, is_taken=False)
    if holding:
        await holding.bundle(folder / "commits.bundle")
    upstream = await branch_settings.of(found, entry.branch)
    detached = head if head != tip else None
    return msgspec.structs.replace(entry, tip=tip, detached=detached, upstream=tuple(upstream))


def _copy(place: Path, folder: Path) -> None:
    if (place / "index").is_file():
        shutil.copyfile(place / "index", folder / "index")
    if (place / "modules").is_dir():
        shutil.rmtree(folder / "modules", ignore_errors=True)
        shutil.copytree(place / "modules", folder / "modules", symlinks=True)


async def unregister(found: Repository, entry: TrashEntry, home: Path) -> None:
    """Remove the registration of a worktree that lies in the trash; its branch, if that goes."""
    branch = None if entry.keeps_branch else entry.branch
    await worktree.remove(found, Path(entry.path), branch, home, kept=entry.tip)


async def put_back(entry: TrashEntry, content: Path, target: Path, home: Path) -> None:
    """Register a worktree again, on its branch, and put its files there; raises `UserError`."""
    assert entry.branch
    found = await repository_of(entry.workspace)
    if found is None:
        message = f"The repository {printable_name(entry.source or '')} is gone."
        raise user_error("SOURCE_NOT_FOUND", message, f"The files are in {content}.")
    folder = content.parent
    if (folder / "commits.bundle").exists():
        await found.git.run("bundle", "unbundle", str(folder / "commits.bundle"))
    name, index = await worktree.register(found, target, entry.branch, home, entry.tip)
    if name != entry.branch:
        _log.warning("%s: the branch %s is taken, it is %s now", entry.path, entry.branch, name)
    else:
        await branch_settings.put_back(found, name, entry.upstream)
    if (folder / "modules").is_dir():
        modules = index.with_name("modules")
        await asyncio.to_thread(shutil.copytree, folder / "modules", modules, symlinks=True)
    await asyncio.to_thread(fill, content, target, folder / "index", index)
    if entry.detached:
        await Git(index.parent).run("update-ref", "--no-deref", "HEAD", entry.detached)
