"""Marks of files: a changed mark means a changed or another file."""

from __future__ import annotations

import os

FileMark = tuple[int, int, int, int]


def file_mark(info: os.stat_result | None) -> FileMark | None:
    """Return the mark that distinguishes a file from others, and from itself after a change."""
    return info and (info.st_ino, info.st_size, info.st_mtime_ns, info.st_mode)
