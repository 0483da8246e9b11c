"""A repository that an agent can write, looked at from a private git directory of ours.

That receives objects, refs (files or reftables) and reflogs as regular files, each checked, and
nothing else: no settings, no hooks, no links, no alternates. git never runs in the repository
itself.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.workspaces.files.copying import copy_file
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.git import Git
from engine.workspaces.git.repository import Repository, private_git

TEXT_BYTES = 16 * 1024**2
ENTRIES = 500_000
_ID = rb"(?:[0-9a-f]{40}|[0-9a-f]{64})"
_HEAD = re.compile(rb"(?:ref: refs/[^\0\n]+|" + _ID + rb")\n?")
_REF = re.compile(_ID + rb"\n?")
_LOG = re.compile(rb"(?:" + _ID + rb" " + _ID + rb" [^\n\0]*\n)*")
_PACKED = re.compile(rb"(?:#[^\n]*\n|" + _ID + rb" refs/[^\0\n]+\n|\^" + _ID + rb"\n)*")
_SHALLOW = re.compile(rb"(?:" + _ID + rb"\n)*")
_LOOSE = re.compile(rb"objects/[0-9a-f]{2}/[0-9a-f]{38}(?:[0-9a-f]{24})?")
_TABLE = re.compile(rb"reftable/(?:tables\.list|[0-9a-z-]+\.ref)")
_PACK = re.compile(rb"objects/pack/pack-[0-9a-f]+\.(?:pack|idx)")


@dataclass(frozen=True, slots=True)
class ForeignRepository:
    """A git directory: `inside` is its path below `root`, reached without following a link."""

    root: Path
    inside: str
    source: Repository | None = None
    """A repository of the user's, whose objects may be used as well."""

    @asynccontextmanager
    async def opened(self, scratch: Path) -> AsyncGenerator[Git]:
        """Yield git on a private git directory with the objects; raises OSError or `UserError`."""
        algorithm = await asyncio.to_thread(self._object_format)
        with private_git(scratch, self.source, object_format=algorithm) as git:
            await asyncio.to_thread(self._bring, git.git_dir)
            yield git

    def _object_format(self) -> str:
        if self.source:
            return self.source.object_format
        with RootedDir(self.root) as below:
            data = read_text(below, os.fsencode(self.inside) + b"/config") or b""
        return "sha256" if re.search(rb"(?i)objectformat\s*=\s*\"?sha256", data) else "sha1"

    def _bring(self, target: Path) -> None:
        with RootedDir(self.root) as below, RootedDir(target) as here:
            top = os.fsencode(self.inside)
            for name, pattern in (
                (b"HEAD", _HEAD),
                (b"packed-refs", _PACKED),
                (b"shallow", _SHALLOW),
            ):
                _bring_text(below, here, top, name, pattern)
            for folder, pattern in ((b"refs", _REF), (b"logs", _LOG)):
                for path in _files(below, top, folder):
                    _bring_text(below, here, top, path, pattern)
            tables = [path for path in _files(below, top, b"reftable") if _TABLE.fullmatch(path)]
            if tables:
                _keep_refs_in_tables(target)
            for path in tables:
                _bring_object(below, here, top + b"/" + path, path)
            _bring_detached(below, here, top)
            for path in _files(below, top, b"objects"):
                if _LOOSE.fullmatch(path) or _PACK.fullmatch(path):
                    _bring_object(below, here, top + b"/" + path, path)


def _bring_detached(below: RootedDir, here: RootedDir, top: bytes) -> None:
    """Bring what worktrees have checked out without a branch, as refs."""
    for path in _files(below, top, b"worktrees"):
        if path.count(b"/") == 2 and path.endswith(b"/HEAD"):
            ref = b"refs/swarm/" + path.removesuffix(b"/HEAD")
            _bring_text(below, here, top, path, _REF, ref)


def _keep_refs_in_tables(git_dir: Path) -> None:
    with (git_dir / "config").open("a") as file:
        file.write("[core]\nrepositoryFormatVersion = 1\n[extensions]\nrefStorage = reftable\n")


def _files(below: RootedDir, top: bytes, folder: bytes) -> Iterator[bytes]:
    """Yield the paths, below `top`, of all but folders; at most `ENTRIES`."""
    try:
        found = below.files(top + b"/" + folder)
        for count, path in enumerate(found):
            if count >= ENTRIES:
                raise OSError(f"more than {ENTRIES} files")
            yield path[len(top) + 1 :]
    except (FileNotFoundError, NotADirectoryError):
        return


def read_text(below: RootedDir, path: bytes) -> bytes | None:
    """Return a small regular file, no link followed; None where there is none. Blocking."""
    try:
        with os.fdopen(below.open(path), "rb") as file:
            data = file.read(TEXT_BYTES + 1)
    except OSError:  # missing, a link, no regular file
        return None
    return data if len(data) <= TEXT_BYTES else None


def _bring_text(
    below: RootedDir,
    here: RootedDir,
    top: bytes,
    path: bytes,
    pattern: re.Pattern[bytes],
    target: bytes | None = None,
) -> None:
    data = read_text(below, top + b"/" + path)
    if data is None or not pattern.fullmatch(data) or path.endswith(b".lock"):
        return
    name, folder = here.place(target or path, make=True)
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as file:
        file.write(data)


def _bring_object(below: RootedDir, here: RootedDir, source: bytes, path: bytes) -> None:
    """Link or copy an object: a file that is regular in our folder cannot become a link there."""
    target, there = here.place(path, make=True)
    name, folder = below.place(source)
    try:
        os.link(name, target, src_dir_fd=folder, dst_dir_fd=there, follow_symlinks=False)
    except OSError:
        info = below.stat(source)
        if info and stat.S_ISREG(info.st_mode):
            copy_file(below.open(source), target, there, info)
        return
    info = os.stat(target, dir_fd=there, follow_symlinks=False)
    if not stat.S_ISREG(info.st_mode):
        os.unlink(target, dir_fd=there)
