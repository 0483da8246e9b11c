"""The index of a working tree, read from a copy: what git believes about its files."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from engine.workspaces.git.git import Git

INDEX_BYTES = 1024**3
SUBMODULE = 0o160000


class IndexEntry(NamedTuple):
    """One file of an index; `is_skipped` and `is_assumed` hide it from `git status`."""

    mode: int
    oid: str
    is_merged: bool
    is_skipped: bool
    """The skip-worktree bit: outside the cone of a sparse checkout, or hidden by the user."""
    is_assumed: bool
    """The assume-unchanged bit."""

    @property
    def is_hidden(self) -> bool:
        """Return whether git does not look at the file."""
        return self.is_skipped or self.is_assumed


def copy_index(git_dir: Path, target: Path) -> Path:
    """Copy the index of a git directory, links not followed; return its path. Blocking.

    Where there is none, none is copied. Raises OSError.
    """
    for path in (git_dir / "index", *git_dir.glob("sharedindex.*")):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with os.fdopen(handle, "rb") as file:
            info = os.fstat(handle)
            if stat.S_ISREG(info.st_mode) and info.st_size <= INDEX_BYTES:
                with (target / path.name).open("wb") as copy:
                    shutil.copyfileobj(file, copy)
    return target / "index"


async def index_entries(git: Git) -> dict[bytes, IndexEntry]:
    """Return the files in the index of `git`; raises `UserError`."""
    out = await git.run("ls-files", "-v", "-s", "-z")
    found: dict[bytes, IndexEntry] = {}
    for line in out.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            tag, mode, oid, stage = head.decode("ascii").split(" ")
            found[path] = IndexEntry(int(mode, 8), oid, stage == "0", tag in "Ss", tag.islower())
    return found


async def show_hidden(git: Git, entries: Mapping[bytes, IndexEntry]) -> None:
    """Clear the bits that hide these files of its index from git; raises `UserError`."""
    await _set_bits(git, entries, "--no-skip-worktree", "--no-assume-unchanged")


async def hide(git: Git, entries: Mapping[bytes, IndexEntry]) -> None:
    """Set the bits again that hid these files; raises `UserError`."""
    await _set_bits(git, entries, "--skip-worktree", "--assume-unchanged")


async def _set_bits(git: Git, entries: Mapping[bytes, IndexEntry], skip: str, assume: str) -> None:
    skipped = [path for path, entry in entries.items() if entry.is_skipped]
    assumed = [path for path, entry in entries.items() if entry.is_assumed]
    for option, paths in ((skip, skipped), (assume, assumed)):
        if paths:
            request = b"".join(path + b"\0" for path in paths)
            await git.run("update-index", option, "-z", "--stdin", stdin=request)


class IndexedFiles(NamedTuple):
    """The paths in an index; `skipped` may be absent, outside the cone of a sparse checkout."""

    tracked: frozenset[bytes] = frozenset()
    skipped: frozenset[bytes] = frozenset()
    submodules: Mapping[bytes, IndexEntry] | None = None
    """Submodules of the index; None if the index is missing or unreadable."""


async def indexed_files(git: Git, git_dir: Path, prefix: bytes) -> IndexedFiles:
    """Return the files below `prefix` in the index of `git_dir`; raises `UserError`.

    The index may be an agent's: it is read as `git` reads a copy of it beside its own files.
    """
    scratch = git.git_dir / "looked-at"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        index = await asyncio.to_thread(copy_index, git_dir, scratch)
        if not index.exists():
            return IndexedFiles()
        at = Git(git.git_dir, files=scratch, index=index, settings=git.settings)
        found = await index_entries(at)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    below = {path[len(prefix) :]: one for path, one in found.items() if path.startswith(prefix)}
    skipped = frozenset(path for path, entry in below.items() if entry.is_skipped)
    modules = {path: entry for path, entry in below.items() if entry.mode == SUBMODULE}
    return IndexedFiles(frozenset(below), skipped, modules)
