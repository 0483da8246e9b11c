"""Files and folders written through to the disk, so that a power cut does not undo them.

Syncing a file does not keep its name: that is in its folder, which is synced on its own.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import get_ident

_NOT_POSSIBLE = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})
"""Errors of file systems that cannot sync a folder."""
_CLOCK_S = 1.0
"""Longest lag of a file's time behind ours: file systems keep it coarsely."""


def sync_path(path: Path) -> None:
    """Write a file or a folder through to the disk; one that is missing or unreadable is left out.

    Links and special files are never opened. Raises OSError where the disk refuses.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except OSError as error:
        left_out = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENXIO)
        if error.errno in left_out:
            return
        raise
    try:
        sync_handle(handle)
    finally:
        os.close(handle)


def sync_handle(handle: int) -> None:
    """Write an open file or folder through to the disk; raises OSError where that fails."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NOT_POSSIBLE:
            raise


def sync_tree(folder: Path, since: float = 0.0) -> None:
    """Write all regular files and folders below a folder through to the disk, itself included.

    Only what changed after `since` (since 1970), if given. Links are not followed.
    """
    waiting = [str(folder)]
    while waiting:
        path = waiting.pop()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False) and _is_new(entry.stat(), since):
                        sync_path(Path(entry.path))
            if _is_new(os.stat(path), since):  # noqa: PTH116  a string already
                sync_path(Path(path))
        except FileNotFoundError:  # removed meanwhile
            continue


def write_synced(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file by one with this content, so that a power cut leaves the old or the new."""
    part = path.with_name(f"{path.name}.{os.getpid()}-{get_ident()}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(part, flags, mode), "wb") as file:
            file.write(data)
            file.flush()
            sync_handle(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_path(path.parent)


def _is_new(info: os.stat_result, since: float) -> bool:
    return max(info.st_mtime, info.st_ctime) >= since - _CLOCK_S
