"""Who supervises a home: at most one engine at a time, by a lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from engine.domain.errors import os_failure, user_error


class Ownership:
    """The right to supervise a home.

    The kernel frees the lock the moment its holder dies, however it dies: no clock is involved, and
    nobody takes over from an engine that is only slow.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @property
    def held(self) -> bool:
        """Say whether this engine supervises."""
        return self._file is not None

    def take(self) -> bool:
        """Try to become the one who supervises; True where we are. Raises `UserError`."""
        if self._file is not None:
            return True
        try:
            # Not inherited by children: the lock must not outlive us.
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise os_failure(error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        with suppress(OSError):  # for people only; on a full disk it goes without
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        return True

    def check(self) -> None:
        """Check that the home is still there; raises `UserError` if somebody removed it.

        A supervisor without a home would work for ever on files that nobody can reach.
        """
        if self._file is None:
            return
        try:
            there = os.path.samestat(self._path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            there = False
        if not there:
            raise user_error("DATABASE_UNUSABLE", f"The home {self._path.parent} was removed.")

    def give_up(self) -> None:
        """Let another engine supervise."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
