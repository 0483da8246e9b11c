"""Room kept free for the database: a file in the home that goes when the disk is full.

With it ends, cancels and clean-ups can still be recorded, and a command can open the database.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from engine.system.files import free_bytes

NAME = "reserve"
SIZE_BYTES = 8 * 1024**2
SHARE = 8
"""Divisor: it takes at most this part of what is free when it is made."""
LEAST_BYTES = 128 * 1024
LOW_BYTES = SIZE_BYTES // SHARE
OPENING_NAME = "reserve-opening"
OPENING_BYTES = 256 * 1024
FULL_BYTES = 64 * 1024
"""With less than this a disk counts as full: SQLite needs half of it for its index of the WAL."""


class Reserve:
    """The reserve of the home that a database is in; no method raises."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(NAME)

    @property
    def is_kept(self) -> bool:
        """Return whether it is there."""
        return self._path.exists()

    def keep(self) -> bool:
        """Make the file where it is missing and there is space; return whether it exists."""
        if self.is_kept:
            return True
        size = min(SIZE_BYTES, self._free_bytes() // SHARE)
        if size < LEAST_BYTES:
            return False
        return _make(self._path, size)

    def release(self) -> bool:
        """Delete the file to free its space for the database; return whether it existed."""
        with suppress(OSError):
            self._path.unlink()
            return True
        return False

    def release_if_full(self) -> bool:
        """Return its room away where there is next to none left."""
        return self._free_bytes() < FULL_BYTES and self.release()

    @property
    def is_spent(self) -> bool:
        """Return whether it was released, and little space is left: for the ends of runs."""
        return not self.is_kept and self._free_bytes() < 2 * LEAST_BYTES

    def _free_bytes(self) -> int:
        try:
            return free_bytes(self._path.parent)
        except OSError:
            return 0


class OpeningReserve:
    """Room to open the database where no process has it open; no method raises.

    Whatever fills the disk takes the first reserve, too. SQLite needs room even to read, so without
    this no command could show or free anything once the last process has closed the database.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(OPENING_NAME)
        self._index = database.with_name(f"{database.name}-shm")

    def release_if_needed(self) -> None:
        """Release its space where there is too little to open the database."""
        with suppress(OSError):
            free = free_bytes(self._path.parent)
            if free < OPENING_BYTES and not self._index.exists():
                self._path.unlink()

    def keep(self) -> None:
        """Make the file where it is missing; after the database was closed."""
        with suppress(OSError):
            if self._path.exists() or not self._path.parent.exists():
                return
            size = min(OPENING_BYTES, free_bytes(self._path.parent))
            if size >= FULL_BYTES:
                _make(self._path, size)


def _make(path: Path, size: int) -> bool:
    """Make a file that takes so much room; return whether it is there."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _fill(handle, size)
        finally:
            os.close(handle)
        part.replace(path)
    except OSError:  # no room after all, or a home that may only be read
        with suppress(OSError):
            part.unlink(missing_ok=True)
        return False
    return True


def is_full(folder: Path) -> bool:
    """Return whether the disk of a folder in a home is full, or only our reserve is left."""
    try:
        free = free_bytes(folder)
    except OSError:
        return False
    if free < FULL_BYTES:
        return True
    homes = (parent for parent in folder.parents if (parent / "swarm.db").exists())
    home = next(homes, None)
    return home is not None and free < LOW_BYTES and not (home / NAME).exists()


def _fill(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    block = bytes(64 * 1024)
    for _ in range(size // len(block)):
        os.write(handle, block)
