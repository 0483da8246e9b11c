"""Folders copied as they stand: shared blocks where the file system can, links as links."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.workspaces.files.patterns import ignoring

_FICLONE = 0x40049409
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 8 * 1024**2
_NO_SHARING = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM)
MODE = 0o7777
IGNORED_KEPT = 50
SET_IDS = stat.S_ISUID | stat.S_ISGID


@dataclass(slots=True)
class CopyResult:
    """The files that a copy left out: devices and the like, mounts, vanished or forbidden files."""

    files: int = 0
    left_out: list[str] = field(default_factory=list[str])
    ignored: set[str] = field(default_factory=set[str])
    """The names of what was ignored, folders with a `/`; some of them, where they are many."""


def copy_tree(
    source: Path,
    target: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    ignore: Sequence[str] = (),
    without: Callable[[str, os.stat_result], bool] = lambda _path, _info: False,
    allowance: CopyAllowance | None = None,
) -> CopyResult:
    """Copy the folder `source` to `target`, which must not exist; modes and times are kept.

    `ignore` are patterns as in `.gitignore`; `without` is asked with each relative path, too.
    `stop` is asked between files whether to give up, which raises InterruptedError. Links are
    copied as links, mounts are not entered. Raises OSError where the target cannot be written, and
    `UserError` WORKSPACE_TOO_LARGE where the `allowance` does not reach.
    """
    target.mkdir(mode=0o700)
    work = _Work(stop, ignore, without, allowance)
    handles = os.open(source, _FOLDER), os.open(target, _FOLDER)
    try:
        work.device = os.fstat(handles[0]).st_dev
        work.tree(*handles)
        info = os.fstat(handles[0])
        os.utime(handles[1], ns=(info.st_atime_ns, info.st_mtime_ns))
    finally:
        for handle in handles:
            os.close(handle)
    return work.copied


@dataclass(slots=True)
class _Level:
    """A folder on the way down, open in the source and in the copy, and the names still to copy."""

    source: int
    target: int
    path: str
    names: list[str]

    def path_of(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def finish(self) -> None:
        """Set the mode and the times, which the files in it would have changed."""
        info = os.fstat(self.source)
        os.fchmod(self.target, info.st_mode & MODE & ~SET_IDS)
        os.utime(self.target, ns=(info.st_atime_ns, info.st_mtime_ns))

    def close(self, *, but: int) -> None:
        """Close both folders, except those of the level whose source is `but`."""
        if self.source != but:
            os.close(self.source)
            os.close(self.target)


class CopyAllowance:
    """Bytes that may still be copied, holes included; counted as they are copied."""

    def __init__(self, limit_bytes: int | None) -> None:
        self._limit_bytes, self._bytes = limit_bytes, 0

    def count(self, size_bytes: int) -> None:
        """Count a file that is open; raises `UserError` WORKSPACE_TOO_LARGE where it is too much.

        The source may grow while it is copied: what was counted before does not hold.
        """
        self._bytes += size_bytes
        if self._limit_bytes is not None and self._bytes > self._limit_bytes:
            limit = f"{self._limit_bytes / 1024**3:.1f} GiB"
            raise user_error("WORKSPACE_TOO_LARGE", f"What is to be copied is larger than {limit}.")


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


class _Work:
    def __init__(
        self,
        stop: Callable[[], bool],
        ignore: Sequence[str],
        without: Callable[[str, os.stat_result], bool],
        allowance: CopyAllowance | None,
    ) -> None:
        self.copied = CopyResult()
        self._allowance = allowance
        self.device = 0
        self._stop = stop
        self._is_ignored = ignoring(ignore)
        self._without = without

    def tree(self, source: int, target: int) -> None:
        """Copy what is in an open folder into another: a loop, however deep the folders lie."""
        levels = [_Level(source, target, "", _names(source))]
        try:
            while levels:
                level = levels[-1]
                if level.names:
                    inner = self._next(level, level.names.pop())
                    levels += [inner] if inner else []
                    continue
                if len(levels) > 1:
                    level.finish()
                levels.pop().close(but=source)
        finally:
            for level in levels:
                level.close(but=source)

    def _next(self, level: _Level, name: str) -> _Level | None:
        """Copy one entry; return the level of a folder that is to be copied into."""
        if self._stop():
            raise InterruptedError
        whole = level.path_of(name)
        info = _stat(name, level.source)
        if info is None or self._without(whole, info):
            return None
        is_folder = stat.S_ISDIR(info.st_mode)
        if self._is_ignored(whole, is_folder):
            self._ignore(name, is_folder)
            return None
        if is_folder:
            return self._inner(level, name, whole)
        self._entry(level.source, level.target, name, whole, info)
        return None

    def _entry(self, source: int, target: int, name: str, whole: str, info: os.stat_result) -> None:
        if stat.S_ISLNK(info.st_mode):
            with suppress(FileNotFoundError):
                os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
                times = (info.st_atime_ns, info.st_mtime_ns)
                os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)
                self.copied.files += 1
        elif stat.S_ISREG(info.st_mode):
            handle = self._opened(name, _FILE, source, whole)
            if handle is not None:
                copy_file(handle, os.fsencode(name), target, os.fstat(handle), self._allowance)
                self.copied.files += 1
        else:
            self._leave_out(whole)

    def _inner(self, level: _Level, name: str, whole: str) -> _Level | None:
        inside = self._opened(name, _FOLDER, level.source, whole)
        if inside is None:
            return None
        try:
            if os.fstat(inside).st_dev != self.device:
                self._leave_out(whole)
                os.close(inside)
                return None
            os.mkdir(name, 0o700, dir_fd=level.target)
            names = _names(inside)
            made = os.open(name, _FOLDER, dir_fd=level.target)
        except BaseException:
            os.close(inside)
            raise
        return _Level(inside, made, whole, names)

    def _opened(self, name: str, flags: int, folder: int, whole: str) -> int | None:
        try:
            return os.open(name, flags, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            self._leave_out(whole)
            return None

    def _ignore(self, name: str, is_folder: bool) -> None:
        if len(self.copied.ignored) < IGNORED_KEPT:
            self.copied.ignored.add(printable_name(f"{name}/" if is_folder else name))

    def _leave_out(self, whole: str) -> None:
        self.copied.left_out.append(printable_name(whole))


def _stat(name: str, folder: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def is_full(error: OSError) -> bool:
    """Return whether the disk has no room: what else there is to copy would fail, too."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def copy_file(
    handle: int,
    name: bytes,
    folder: int,
    info: os.stat_result,
    allowance: CopyAllowance | None = None,
) -> None:
    """Copy the open file `handle` (closed here) to `name` in `folder`, with mode and times.

    `name` must not exist; set-user-id and set-group-id bits are dropped. Raises `UserError`
    WORKSPACE_TOO_LARGE where the `allowance` does not reach.
    """
    try:
        if allowance:
            allowance.count(os.fstat(handle).st_size)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        copy = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            _copy_content(handle, copy, info.st_size)
            os.fchmod(copy, info.st_mode & MODE & ~SET_IDS)
            os.utime(copy, ns=(info.st_atime_ns, info.st_mtime_ns))
        except BaseException:
            os.unlink(name, dir_fd=folder)  # half a file is worse than none
            raise
        finally:
            os.close(copy)
    finally:
        os.close(handle)


def _copy_content(source: int, target: int, size_bytes: int) -> None:
    if size_bytes and (_shared(source, target) or _copied_inside(source, target)):
        return
    while chunk := os.read(source, _CHUNK):
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]


def _shared(source: int, target: int) -> bool:
    """Share the blocks of both files until one is written to; return whether the system can."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def shares_blocks(source: Path, folder: Path) -> bool:
    """Return whether a copy of the file `source` in `folder` takes no room of its own."""
    try:
        handle = os.open(source, _FILE)
    except OSError:
        return False
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            return _shared(handle, probe.fileno())
    except OSError:
        return False
    finally:
        os.close(handle)


def _copied_inside(source: int, target: int) -> bool:
    """Copy within the kernel; return False where it cannot, with nothing written."""
    if not hasattr(os, "copy_file_range"):
        return False
    try:
        count = os.copy_file_range(source, target, _CHUNK)
        if not count:  # files of /proc and the like have a size, but no bytes here
            return False
        while count:
            count = os.copy_file_range(source, target, _CHUNK)
    except OSError as error:
        if error.errno not in _NO_SHARING:
            raise
        os.lseek(source, 0, os.SEEK_SET)
        os.lseek(target, 0, os.SEEK_SET)
        return False
    return True
