"""Regular files opened without waiting, and read as they grow, whole line by whole line."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

CHUNK_BYTES = 256 * 1024
LINE_LIMIT_BYTES = 64 * 1024 * 1024


_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_regular(path: os.PathLike[str] | str) -> int:
    """Open a regular file for reading; raises OSError for everything else.

    A pipe in its place would make the reader wait for a writer, and everybody for the reader.
    """
    return _checked(os.open(path, _READ), path)


def read_named(path: os.PathLike[str] | str, limit_bytes: int) -> bytes:
    """Return the first bytes of a regular file that the user named; raises OSError otherwise.

    Links are followed, as for every program that is given a file.
    """
    with os.fdopen(_checked(os.open(path, _READ & ~os.O_NOFOLLOW), path), "rb") as file:
        return file.read(limit_bytes)


def free_bytes(folder: os.PathLike[str] | int) -> int:
    """Return the free space on the disk of a folder or an open file. Raises OSError."""
    found = os.statvfs(folder)  # not `shutil`, which brings three compressors
    return found.f_bavail * found.f_frsize


def real_path(path: os.PathLike[str] | str) -> Path:
    """Return a path with its links resolved; where they go in a circle, as far as that is possible.

    `Path.resolve` raises RuntimeError there, before Python 3.13. A path that no file can have, with
    a NUL in it, is returned as it is.
    """
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        return Path(path)


def expanded(path: os.PathLike[str] | str) -> Path:
    """Return a path with `~` expanded; as it is where no such user is known.

    `Path.expanduser` raises RuntimeError there.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111  see above


def append_regular(path: os.PathLike[str]) -> int:
    """Open a regular file for appending, made where it is missing; raises OSError otherwise."""
    handle = _checked(os.open(path, _APPEND, 0o600), path)
    os.set_blocking(handle, True)  # it becomes another program's
    return handle


def read_regular(path: os.PathLike[str], limit_bytes: int = -1) -> bytes:
    """Return what a regular file holds; raises OSError for everything else.

    One with more than `limit_bytes` counts as too large: EFBIG.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(limit_bytes if limit_bytes < 0 else limit_bytes + 1)
    if 0 <= limit_bytes < len(data):
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(path))
    return data


def _checked(handle: int, path: os.PathLike[str] | str) -> int:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))
    return handle


class LineReader:
    """Reader of whole lines from a growing file, from `offset` (bytes) on."""

    def __init__(self, path: os.PathLike[str], offset: int) -> None:
        self._path = path
        self._file: int | None = None
        self._pending = bytearray()
        self.offset = offset
        """Just behind the last line given out: where a later reader goes on."""
        self._read_to = offset
        self.is_damaged = False
        """True if the file ended before its content did: what was read is not all."""

    def lines(self, limit_bytes: int = CHUNK_BYTES) -> list[bytes]:
        """Return the lines that have ended since the last call, without their newlines.

        A line may have any length; what goes beyond 64 MiB of it is left out of the line.
        """
        chunk = self._read(limit_bytes)
        *lines, rest = chunk.split(b"\n")
        if not lines:
            if len(self._pending) < LINE_LIMIT_BYTES:
                self._pending += chunk
            return []
        if self._pending:
            lines[0] = bytes(self._pending) + lines[0]
            self._pending.clear()
        self._pending += rest
        self.offset = self._read_to - len(rest)
        return lines

    def rest(self) -> bytes:
        """Return the text after the last newline, for a file that will not grow any more."""
        rest = bytes(self._pending)
        self._pending.clear()
        self.offset = self._read_to
        return rest

    @property
    def behind(self) -> bool:
        """Return whether the file holds unread bytes; one that was deleted while open counts."""
        try:
            return os.stat(self._path if self._file is None else self._file).st_size > self._read_to  # noqa: PTH116  hot
        except FileNotFoundError:
            return False

    def cut_off(self) -> int:
        """Go on at the file's end if it was made shorter, and return the number of bytes cut off.

        Read bytes are not read again, or they would be returned twice.
        """
        if self._file is None:
            return 0
        size = os.fstat(self._file).st_size
        missing = max(0, self._read_to - size)
        if missing:
            self._pending.clear()
            self.offset = self._read_to = size
        return missing

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self, limit_bytes: int) -> bytes:
        if self._file is None:
            try:
                self._file = open_regular(self._path)
            except FileNotFoundError:
                return b""
        chunk = os.pread(self._file, limit_bytes, self._read_to)
        self._read_to += len(chunk)
        return chunk
