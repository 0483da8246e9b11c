"""Steps in which a workspace goes to the trash and comes back; each is done whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file again, synced to the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)


def rewrite(path: Path, data: bytes) -> None:
    """Put a file in the place of another, all of it or nothing."""
    fresh = path.with_suffix(".new")
    write(fresh, data)
    fresh.replace(path)


def move(source: Path, target: Path) -> None:
    """Move a folder whole; one without leave to write is given it, as its parent changes."""
    try:
        source.rename(target)
    except PermissionError:
        if source.is_symlink():
            raise
        source.chmod(0o700)
        source.rename(target)


def is_empty_worktree(target: Path) -> bool:
    """Return whether a restore was cut short here, after git had made the folder."""
    if target.is_symlink() or not target.is_dir():
        return False
    link = target / ".git"
    names = {one.name for one in target.iterdir()}
    return not names or (names == {".git"} and link.is_file() and not link.is_symlink())


def fill(content: Path, target: Path, kept_index: Path, index: Path) -> None:
    """Put the files into the place of the worktree that git has just made, which holds none."""
    if kept_index.is_file():
        shutil.copyfile(kept_index, index)
    link = content / ".git"
    if link.is_file() and not link.is_symlink():  # else the agent has put something else there
        link.unlink()
        link.write_bytes((target / ".git").read_bytes())
    (target / ".git").unlink()
    target.rmdir()
    content.rename(target)
