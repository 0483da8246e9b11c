"""Files as git records them: modes, object ids and sizes."""

from __future__ import annotations

import stat
from functools import cache
from typing import NamedTuple

FILE, EXECUTABLE, LINK = 0o100644, 0o100755, 0o120000
"""Modes of index entries and trees (gitformat-index)."""
LARGEST_BYTES = 1024**3
"""Files above this size are not stored."""
IN_MEMORY_BYTES = 16 * 1024**2
"""Files above this size are never held in memory."""


class FileRecord(NamedTuple):
    """A file as it was when its content was read."""

    mode: int
    oid: str
    size_bytes: int
    modified_ns: int
    changed_ns: int
    inode: int


@cache
def git_mode(mode: int) -> int:
    """Return git's mode for the system's mode; 0 for all but regular files and links."""
    if stat.S_ISLNK(mode):
        return LINK
    if not stat.S_ISREG(mode):
        return 0
    return EXECUTABLE if mode & stat.S_IXUSR else FILE
