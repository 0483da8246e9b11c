"""Output files at a path of the user, in folders where others may have put links.

A new file is written beside and renamed into its place: an existing one is replaced, never written
to. No link is followed, neither at the last part of the path nor above it.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_output(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file all or nothing; raises `UserError` INPUT_INVALID where that is not possible.

    Where a file is there, its mode stays. A disk that is full is raised as OSError.
    """
    try:
        folder = _open_folder(path.parent)
        try:
            _write(folder, os.fsencode(path.name), data, mode)
        finally:
            os.close(folder)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _refused(path, error) from error


def write_into(target: Path, name: str, data: bytes) -> None:
    """Write a file to `target`, or under its own name into the folder `target`."""
    is_folder = target.is_dir() and not target.is_symlink()
    write_output(target / name if is_folder else target, data)


def _open_folder(folder: Path) -> int:
    """Open a folder part by part, none of them through a link; raises OSError."""
    handle = os.open(folder.anchor or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in folder.parts[1:] if folder.anchor else folder.parts:
        try:
            inner = _step(handle, part)
        finally:
            os.close(handle)
        handle = inner
    return handle


def _step(handle: int, part: str) -> int:
    info = os.stat(part, dir_fd=handle, follow_symlinks=False)
    if not stat.S_ISLNK(info.st_mode):
        return os.open(part, _FOLDER, dir_fd=handle)
    if info.st_uid == 0 and os.geteuid() != 0:  # the system's own: `/tmp` on macOS, for instance
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    raise OSError(errno.ELOOP, "a link is in its path", part)


def _write(folder: int, name: bytes, data: bytes, mode: int) -> None:
    before = None
    with suppress(FileNotFoundError):
        before = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if before and not stat.S_ISREG(before.st_mode):
        why = "is a link" if stat.S_ISLNK(before.st_mode) else "is not a regular file"
        raise OSError(errno.EINVAL, why)
    part = f".swarm-{secrets.token_hex(8)}".encode()
    try:
        with os.fdopen(os.open(part, _NEW, mode, dir_fd=folder), "wb") as file:
            file.write(data)
            if before:
                os.fchmod(file.fileno(), before.st_mode & 0o777)
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)


def _refused(path: Path, error: OSError) -> Exception:
    message = f"{printable_name(str(path))} cannot be written: {error.strerror}."
    advice = "Name another file; links are not followed. Name a link's target itself."
    return user_error("INPUT_INVALID", message, advice)
