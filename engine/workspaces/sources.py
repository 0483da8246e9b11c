"""Requests of faces to a folder before a run is started from it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.hosts import path_here
from engine.domain.model import Run, WorkspaceKind, WorkspaceSpec
from engine.domain.text import printable_name
from engine.system.files import real_path
from engine.system.time_limit import time_limit
from engine.workspaces.create.free_space import size_of
from engine.workspaces.create.uncommitted import uncommitted
from engine.workspaces.git import repository
from engine.workspaces.git.git import Git
from engine.workspaces.git.user_git_config import user_git_config

LIMIT_S = 10.0
FILES = 50_000
FILES_BYTES = 16 * 1024**2
UNTRACKED_FILES = 5_000
SHOWN = 3
REFS = 1000
_REFS = (
    ("refs/heads/", "branch"),
    ("refs/tags/", "tag"),
    ("refs/remotes/", "remote branch"),
)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """A folder of a repository: its branch, and what of its work is in no commit."""

    branch: str | None
    uncommitted: int
    some: tuple[str, ...]
    """A few of those files, as they can be shown."""


class SourceInspector:
    """The folders that runs may work from; nothing there is changed, and no answer is an error."""

    def __init__(self, paths: Paths, find_run: Callable[[str], Awaitable[Run]]) -> None:
        self._paths, self._find_run = paths, find_run

    async def inspect(self, spec: WorkspaceSpec) -> SourceInfo | None:
        """Look at the repository that a workspace would be made from; None where there is none."""
        try:
            async with time_limit(LIMIT_S):
                folder = await self._folder(spec)
                found = await self._repository(spec, folder) if folder else None
                if found is None or found.head is None or found.top is None:
                    return None
                home = self._paths.home
                user = await user_git_config(found, home)
                paths = sorted((await uncommitted(found, user, home)).files)
        except (UserError, TimeoutError, OSError):
            return None
        branch = found.branch.removeprefix("refs/heads/") if found.branch else None
        some = tuple(printable_name(os.fsdecode(path)) for path in paths[:SHOWN])
        return SourceInfo(branch and printable_name(branch), len(paths), some)

    async def files(self, spec: WorkspaceSpec) -> list[str]:
        """Name the files an agent would find in the workspace, if their names can be typed.

        In a repository those git knows, elsewhere those found first: a bounded number.
        """
        try:
            async with time_limit(LIMIT_S):
                folder = await self._folder(spec)
                found = await self._repository(spec, folder) if folder else None
                if folder is None:
                    names: list[str] = []
                elif found and found.top:
                    whole = spec.kind is WorkspaceKind.WORKTREE
                    names = await _known(found.git_dir, found.top, found.top if whole else folder)
                else:
                    names = await asyncio.to_thread(lambda: list(_walk(folder)))
        except (UserError, TimeoutError, OSError):
            return []
        return [name for name in names if name.isprintable()]

    async def refs(self, spec: WorkspaceSpec) -> list[tuple[str, str]]:
        """Name the branches and tags of the repository, the newest first, each with its kind."""
        try:
            async with time_limit(LIMIT_S):
                folder = await self._folder(spec)
                found = await self._repository(spec, folder) if folder else None
                return await _named_refs(found.git) if found else []
        except (UserError, TimeoutError, OSError):
            return []

    async def size(self, spec: WorkspaceSpec, ignore: Sequence[str] = ()) -> int | None:
        """Estimate the bytes that a workspace would take; None: unknown."""
        try:
            async with time_limit(LIMIT_S):
                folder = await self._folder(spec)
                if folder is None or spec.kind is WorkspaceKind.IN_PLACE:
                    return 0
                if spec.kind is WorkspaceKind.WORKTREE:
                    return await _committed(folder, spec.base_commit)
                return await asyncio.to_thread(size_of, folder, ignore)
        except (UserError, TimeoutError, OSError):
            return None

    async def _repository(self, spec: WorkspaceSpec, folder: Path) -> repository.Repository | None:
        """Return the repository around a folder, if git may run in it."""
        try:
            if spec.kind is WorkspaceKind.FROM_RUN:
                return await repository.find_outside(folder, self._paths.workspaces)
            return await repository.find(folder)
        except UserError:
            return None

    async def _folder(self, spec: WorkspaceSpec) -> Path | None:
        if spec.kind is WorkspaceKind.FROM_RUN and spec.source and "/" not in spec.source:
            path = path_here(await self._find_run(spec.source))
            return Path(path) if path else None
        return Path(spec.source) if spec.source else None


async def _named_refs(git: Git) -> list[tuple[str, str]]:
    words = ("for-each-ref", "--sort=-creatordate", f"--count={REFS}", "--format=%(refname)")
    out = await git.run(*words, *(place for place, _ in _REFS))
    found: list[tuple[str, str]] = []
    for ref in out.decode("utf-8", "replace").splitlines():
        place, kind = next(one for one in _REFS if ref.startswith(one[0]))
        found.append((ref.removeprefix(place), kind))
    return [one for one in found if not one[0].endswith("/HEAD")]


async def _committed(folder: Path, commit: str | None) -> int:
    """Return the bytes of the files in a commit, or in the one that is checked out."""
    found = await repository.must_find(folder, needs_commit=commit is None)
    words = ("ls-tree", "-r", "-l", "-z", commit or found.head or "")
    out = await found.git.run(*words, limit_bytes=FILES_BYTES)
    sizes = (entry.split(b"\t", 1)[0].split()[-1:] for entry in out.split(b"\0") if entry)
    return sum(int(size[0]) for size in sizes if size and size[0].isdigit())


async def _known(git_dir: Path, top: Path, folder: Path) -> list[str]:
    out = await Git(git_dir, files=top).run("ls-files", "-z", limit_bytes=FILES_BYTES)
    below = await asyncio.to_thread(_prefix, folder, top)
    names = (name.removeprefix(below) for name in out.split(b"\0") if name.startswith(below))
    return [os.fsdecode(name) for name in islice(filter(None, names), FILES)]


def _prefix(folder: Path, top: Path) -> bytes:
    inside = real_path(folder).relative_to(real_path(top))
    return b"" if inside == Path() else os.fsencode(inside) + b"/"


def _walk(folder: Path) -> Iterator[str]:
    """Yield files of a tree, the upper ones first, never through a link."""
    waiting, count = [""], 0
    for place in waiting:
        try:
            entries = sorted(os.scandir(folder / place), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{place}{entry.name}/")
                continue
            yield f"{place}{entry.name}"
            count += 1
            if count >= UNTRACKED_FILES:
                return
