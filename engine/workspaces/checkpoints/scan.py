"""A scan of a workspace: the files that count, those that changed, and their content.

git lists the files that count (it knows `.gitignore`); they are examined and read here, through
`RootedDir`: git opens files by name, and an agent may swap a folder for a link meanwhile.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from engine.agents.profiles import SANDBOX_FILES
from engine.workspaces.files.rooted_dir import RootedDir, is_gits
from engine.workspaces.files.walk import is_sandbox
from engine.workspaces.git.file_record import (
    IN_MEMORY_BYTES,
    LARGEST_BYTES,
    FileRecord,
    git_mode,
)
from engine.workspaces.git.git import Git, failure
from engine.workspaces.git.pack import object_id

HOLES_BYTES = 8 * 1024**3
"""Holes of large files that one look takes in: a file of them takes no room, but hours to read."""
NESTED = 16  # repositories inside repositories that are looked into
_CLOSED = re.compile(r"warning: could not open directory '(.+/)'")
_TICK_NS = 20_000_000  # a change within one tick of the file system's clock leaves no trace
_COARSE_TICK_NS = 2_000_000_000


@dataclass(slots=True)
class ScanResult:
    """The outcome of a look at the whole workspace; `unread` is what has to be read again."""

    same: dict[bytes, FileRecord] = field(default_factory=dict[bytes, FileRecord])
    unread: list[bytes] = field(default_factory=list[bytes])
    left_out: list[bytes] = field(default_factory=list[bytes])
    links: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """The commits that nested repositories have checked out."""
    missing: tuple[str, list[bytes]] | None = None
    """A baseline's tree, and those of its files that were not in the tree of the last look."""


async def listing(
    git: Git, root: Path, repositories: set[bytes] | None = None, *, depth: int = 0
) -> set[bytes]:
    """List the files that count, those of nested repositories included; `counts` knows better.

    A folder that could not be looked into is among them, with a `/` at its end. The paths of nested
    repositories are added to `repositories`.
    """
    index = git.git_dir / "no-index"
    inside = Git(git.git_dir, files=root, index=index, settings=git.settings, watched=True)
    answer = await inside.ask("ls-files", "--others", "--exclude-standard", "-z")
    if answer.code:
        raise failure("ls-files", answer)
    names = set(answer.out.split(b"\0")) - {b""}
    if b"/\0" in answer.out:
        for name in [name for name in names if name.endswith(b"/")]:
            names.remove(name)
            nested = root / os.fsdecode(name[:-1])
            if depth < NESTED and nested.is_dir() and not nested.is_symlink():
                deeper = set[bytes]()
                below = await listing(git, nested, deeper, depth=depth + 1)
                names |= {name + inner for inner in below}
                if repositories is not None:
                    repositories |= {name[:-1], *(name + inner for inner in deeper)}
    closed = _closed(answer.complaint)
    return names.union(name for name in closed if name[:-1].decode() not in SANDBOX_FILES)


def counts(path: bytes) -> bool:
    """Return whether a file that git lists is the workspace's, not git's own."""
    return not is_gits(path)


def _closed(complaint: str) -> list[bytes]:
    """Return the folder that git could not open, from its complaint; of several, one is enough."""
    found = _CLOSED.match(complaint)
    return [found[1].encode()] if found else []


def compare(
    root: Path, paths: Iterable[bytes], known: dict[bytes, FileRecord], found: ScanResult
) -> None:
    """Look at these files, without opening any, and add to `found` how they compare to `known`."""
    same, unread = found.same, found.unread
    with RootedDir(root) as below:
        for path, info in below.look(sorted(paths), found.left_out):
            before = known.get(path)
            if before is not None and before == (
                git_mode(info.st_mode),
                before.oid,
                info.st_size,
                info.st_mtime_ns,
                info.st_ctime_ns,
                info.st_ino,
            ):
                same[path] = before
            elif git_mode(info.st_mode) and (
                before or not is_sandbox(os.fsdecode(path), info.st_size)
            ):
                unread.append(path)


class FileReader:
    """Reader of changed files; used from one thread."""

    def __init__(self, object_format: str, keep_large: Callable[[int], str]) -> None:
        self._algorithm = object_format
        self._keep_large = keep_large
        self._holes_left = HOLES_BYTES

    def read(self, below: RootedDir, path: bytes) -> tuple[FileRecord | None, bytes | None]:
        """Read one file, and return its content unless it is large; None twice where it vanished.

        Raises OSError where it cannot be stored.
        """
        now_ns = time.time_ns()
        info = below.stat(path)
        if info is None or not git_mode(info.st_mode):
            return None, None
        if stat.S_ISLNK(info.st_mode):
            return self._taken(info, below.link_target(path), now_ns)
        handle = below.open(path)
        try:
            info = os.fstat(handle)
            if info.st_size > LARGEST_BYTES:
                raise OSError("is too large to be remembered")
            if info.st_size > IN_MEMORY_BYTES:
                self._count_holes(info)
                return _seen(info, self._keep_large(os.dup(handle)), now_ns), None
            return self._taken(info, _content(handle, info.st_size), now_ns)
        finally:
            os.close(handle)

    def _count_holes(self, info: os.stat_result) -> None:
        """Raise OSError for a file whose holes are more than one look may take in."""
        holes = max(0, info.st_size - info.st_blocks * 512)
        if holes > self._holes_left:
            raise OSError("has too many holes to be remembered")
        self._holes_left -= holes

    def _taken(self, info: os.stat_result, data: bytes, now_ns: int) -> tuple[FileRecord, bytes]:
        return _seen(info, object_id(self._algorithm, data), now_ns), data


def _content(handle: int, size_bytes: int) -> bytes:
    """Read a file as long as it was when it was looked at: one that grows has no other end."""
    data = os.read(handle, size_bytes)
    while 0 < len(data) < size_bytes:
        more = os.read(handle, size_bytes - len(data))
        if not more:
            break
        data += more
    return data


def _seen(info: os.stat_result, oid: str, now_ns: int) -> FileRecord:
    """Note a file; one that changed just now gets no time, so that it is read again next time."""
    coarse = info.st_ctime_ns % 1_000_000_000 == 0
    fresh = info.st_ctime_ns + (_COARSE_TICK_NS if coarse else _TICK_NS) > now_ns
    changed_ns = 0 if fresh else info.st_ctime_ns
    mode = git_mode(info.st_mode)
    return FileRecord(mode, oid, info.st_size, info.st_mtime_ns, changed_ns, info.st_ino)
