"""One regular file held open: it is read in pieces, and a change of it meanwhile is noticed.

All calls block; the file is never read as a whole.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.workspaces.files.rooted_dir import RootedDir

SETTLED_S = 1.0
"""Age of a change after which another one cannot have the same time on any file system."""


class OpenFile:
    """A regular file, open for reading. It is closed with `close`, or with the object."""

    def __init__(self, handle: int, path: str) -> None:
        self._handle = handle
        self._begin = os.fstat(handle)
        self.name = path.rpartition("/")[2]
        self.size_bytes = self._begin.st_size
        age_s = time.time() - max(self._begin.st_mtime, self._begin.st_ctime)
        self.is_settled = age_s > SETTLED_S
        """True if `version` names exactly one content: the last change is long enough ago."""

    @property
    def version(self) -> str:
        """A short text that changes with the file's content."""
        info = self._begin
        parts = info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]

    def read(self, start: int, limit_bytes: int) -> bytes:
        """Return the bytes from `start`, at most so many; raises OSError."""
        return os.pread(self._handle, limit_bytes, start)

    def is_rewritten(self) -> bool:
        """Return whether the bytes that were there have changed; raises OSError.

        Content added at the end, as to a log, leaves them as they were.
        """
        now = os.fstat(self._handle)
        if now.st_size != self.size_bytes:
            return now.st_size < self.size_bytes
        return now.st_mtime_ns != self._begin.st_mtime_ns

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __del__(self) -> None:
        # A request that is cancelled while a thread opens the file cannot close it.
        if getattr(self, "_handle", -1) >= 0:
            self.close()


def open_file(root: Path, path: str, recovery: str | None = None) -> OpenFile:
    """Open a regular file below `root`, never through a link; raises `UserError`."""
    try:
        with RootedDir(root) as below:
            handle = below.open(os.fsencode(path))
        return _opened(handle, path)
    except (OSError, ValueError) as error:
        raise missing(path, "read", recovery) from error


def _opened(handle: int, path: str) -> OpenFile:
    try:
        return OpenFile(handle, path)
    except OSError:
        os.close(handle)
        raise


def missing(path: str, verb: str, recovery: str | None = None) -> UserError:
    """Return the error for a path of a workspace at which there is nothing to read or to list."""
    name = printable_name(path) or "The workspace"
    return user_error(
        "WORKSPACE_MISSING",
        f"{name} cannot be {verb}.",
        recovery or "Look at what is there with `swarm-tui files`; links are not followed.",
    )
