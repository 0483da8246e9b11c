"""Files below one folder, reached without ever leaving it.

Each folder is opened relative to the one before, never through a link and never onto another file
system, so that nothing an agent swaps in between leads anywhere else. Paths are bytes, relative,
separated by `/`.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.agents.profiles import CONTROL_FOLDERS
from engine.system.durable import sync_handle

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV)
# macOS leaves these out of file names: `.g\u200cit` is `.git` there.
_UNSEEN = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070)])
_UNSEEN[0xFEFF] = None


def is_gits(path: bytes) -> bool:
    """Return whether any part of `path` is git's own, on whatever file system."""
    if b"git" not in path.lower() and path.isascii():
        return False
    parts = os.fsdecode(path).translate(_UNSEEN).lower().split("/")
    return any(part == ".git" or part == "git~1" for part in parts)


_NO_NAMES = frozenset({b"", b".", b".."})
CONTROL = ("git", *CONTROL_FOLDERS, "swarm", "hg", "svn", "jj")
_CONTROL = re.compile(rf"\.(?:{'|'.join(CONTROL)})|(?:{'|'.join(CONTROL)})~\d+")


def is_control(path: bytes) -> bool:
    """Return whether any part of `path` is a control folder's name on some file system.

    Programs outside the sandbox read settings, hooks and scripts there. NTFS ignores spaces and
    dots at the end, begins a stream with a colon, and has short names such as `git~1`.
    """
    parts = re.split(r"[/\\]", os.fsdecode(path).translate(_UNSEEN).casefold())
    return any(_CONTROL.fullmatch(part.partition(":")[0].rstrip(" .")) for part in parts)


class RootedDir:
    """The files below `root`; open as a context, used from one thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._top = -1
        self._device = 0
        self._open: list[tuple[bytes, int]] = []
        self._at: bytes | None = None
        """The folder that the last of these is, where it is known."""

    def __enter__(self) -> Self:
        self._top = os.open(self.root, _FOLDER)
        self._device = os.fstat(self._top).st_dev
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.forget()
        os.close(self._top)

    @property
    def device(self) -> int:
        """The file system all of it is on."""
        return self._device

    @property
    def identity(self) -> tuple[int, int]:
        """The device and inode of the folder itself."""
        return self._device, os.fstat(self._top).st_ino

    def forget(self) -> None:
        """Close the folders that are kept open between calls: needed after removing folders."""
        self._at = None
        while self._open:
            os.close(self._open.pop()[1])

    def folder(self, path: bytes, *, make: bool = False) -> int:
        """Return a handle of the folder at `path`, made with its parents where `make`.

        The handle is good until the next call, and callers do not close it. Raises OSError
        where `path` is not a folder in here.
        """
        if path == self._at:
            return self._open[-1][1] if self._open else self._top
        self._at = None
        parts = path.split(b"/") if path else []
        if any(part in (b"", b".", b"..") for part in parts):
            raise NotADirectoryError(errno.ENOTDIR, "leads elsewhere", path)
        shared = 0
        for (name, _), part in zip(self._open, parts, strict=False):
            if name != part:
                break
            shared += 1
        while len(self._open) > shared:
            os.close(self._open.pop()[1])
        for part in parts[shared:]:
            self._open.append((part, self._step(part, make=make)))
        self._at = path
        return self._open[-1][1] if self._open else self._top

    def _step(self, part: bytes, *, make: bool) -> int:
        parent = self._open[-1][1] if self._open else self._top
        try:
            handle = os.open(part, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(part, 0o777, dir_fd=parent)
            handle = os.open(part, _FOLDER, dir_fd=parent)
        if os.fstat(handle).st_dev != self._device:
            os.close(handle)
            raise OSError(errno.EXDEV, "is another file system", part)
        return handle

    def place(self, path: bytes, *, make: bool = False) -> tuple[bytes, int]:
        """Return the last part of `path` and its folder's handle, for `os` calls with dir_fd."""
        folder, _, name = path.rpartition(b"/")
        if name in _NO_NAMES:
            raise _no_name(path)
        return name, self.folder(folder, make=make)

    def stat(self, path: bytes) -> os.stat_result | None:
        """Return the status of `path` itself, or None where nothing is there."""
        try:
            name, folder = self.place(path)
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise

    def look(
        self, paths: Iterable[bytes], refused: list[bytes]
    ) -> Iterator[tuple[bytes, os.stat_result]]:
        """Yield those of `paths` that are there with their status, as `stat` returns it.

        Paths that cannot be looked at are added to `refused`. No other call may come in between.
        Paths of one folder after another take half the time of `stat`.
        """
        status, at, handle = os.stat, None, -1
        for path in paths:  # all files there are, again and again: nothing else in here
            folder, _, name = path.rpartition(b"/")
            try:
                if name in _NO_NAMES:
                    raise _no_name(path)
                if folder != at:
                    at, handle = None, self.folder(folder)
                    at = folder
                info = status(name, dir_fd=handle, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _ABSENT:
                    refused.append(path)
                continue
            yield path, info

    def open(self, path: bytes) -> int:
        """Open a regular file for reading; raises OSError for everything else."""
        name, folder = self.place(path)
        handle = os.open(name, _FILE, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.EINVAL, "is not a regular file", path)
        return handle

    def link_target(self, path: bytes) -> bytes:
        """Read where a link points to; raises OSError."""
        name, folder = self.place(path)
        return os.readlink(name, dir_fd=folder)

    def files(self, path: bytes) -> Iterator[bytes]:
        """Yield everything below the folder at `path` that is not a folder."""
        waiting = [path]
        while waiting:
            inside = waiting.pop()
            with os.scandir(self.folder(inside)) as entries:
                found = [
                    (os.fsencode(entry.name), entry.is_dir(follow_symlinks=False))
                    for entry in entries
                ]
            for name, is_folder in found:
                whole = inside + b"/" + name if inside else name
                if is_folder:
                    waiting.append(whole)
                else:
                    yield whole

    def prune(self, path: bytes) -> None:
        """Remove the folders above `path` that have become empty, up to the root."""
        folder = path.rpartition(b"/")[0]
        while folder:
            try:
                name, parent = self.place(folder)
                os.rmdir(name, dir_fd=parent)
            except OSError:
                return
            self.forget()
            folder = folder.rpartition(b"/")[0]


def _no_name(path: bytes) -> OSError:
    return IsADirectoryError(errno.EISDIR, "is not a file name", path)


MANY = 500
"""So many files are not synced one by one: the system writes all of its disks through."""


def sync_files(root: Path, paths: Collection[bytes]) -> None:
    """Sync files below a folder, and the folders they are in, to the disk.

    Missing files are skipped. Raises OSError where the disk refuses.
    """
    if len(paths) > MANY:
        os.sync()
        return
    folders: set[bytes] = set()
    with RootedDir(root) as below:
        for path in paths:
            with _absent_passed():
                name, folder = below.place(path)
                handle = os.open(name, _FILE, dir_fd=folder)
                try:
                    sync_handle(handle)
                finally:
                    os.close(handle)
            parts = path.split(b"/")[:-1]
            folders |= {b"/".join(parts[:count]) for count in range(len(parts) + 1)}
        for path in folders:
            with _absent_passed():
                sync_handle(below.folder(path))


@contextmanager
def _absent_passed() -> Generator[None]:
    """Pass over what is not there, or may not be read."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*_ABSENT, errno.EACCES, errno.ENXIO):
            raise
