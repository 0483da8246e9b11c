"""Lock of a home's supervisor: at most one engine at a time, freed when its holder dies."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.execution.supervisor_status import FOLDER, beat_line, lock_unusable
from engine.system.files import read_regular

BEAT_S = 2.0
"""Time from one heartbeat to the next."""


class SupervisorLock:
    """The right to supervise a home: a lock on its folder itself, and one on a file in it.

    The kernel frees them the moment their holder dies, however it dies: no clock is involved,
    and no engine takes over from one that is only slow. The file can be deleted, and made again
    by another; the folder is the same as long as it is there. Older versions lock only the
    file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._home: int | None = None
        self._file: int | None = None
        self._since = 0.0

    @property
    def path(self) -> Path:
        """The lock file, in the home's folder."""
        return self._path

    @property
    def held(self) -> bool:
        """Return whether this engine supervises."""
        return self._home is not None

    @property
    def holder(self) -> int | None:
        """The process that supervises, as far as it is known."""
        try:
            words = read_regular(self._path).decode("ascii", "replace").split()
        except OSError:
            return None
        return int(words[0]) if words and words[0].isascii() and words[0].isdigit() else None

    def acquire(self) -> bool:
        """Try to become the one who supervises; True where we are. Raises `UserError`."""
        if self._home is not None:
            return True
        try:
            self._home = os.open(self._path.parent, FOLDER)
            if _locked(self._home, is_folder=True) and self._lock_file():
                return True
        except OSError as error:
            self.release()
            raise lock_unusable(self._path, error) from error
        self.release()
        return False

    def _lock_file(self) -> bool:
        """Lock the file, made where it is missing; False where another has it."""
        # Not inherited by children: the lock must not outlive us.
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            taken = _locked(file)
        except OSError:
            os.close(file)
            raise
        if not taken:
            os.close(file)
            return False
        if self._file is not None:
            os.close(self._file)
        self._file, self._since = file, self._since or time.time()
        with suppress(OSError):
            os.ftruncate(file, 0)
        self.beat()
        return True

    def beat(self) -> None:
        """Write who supervises, and that it is alive; on a full disk it goes without."""
        if self._file is not None:
            line = f"{os.getpid()}\n{beat_line(self._since)}"
            with suppress(OSError):
                os.pwrite(self._file, line.encode(), 0)

    async def keep_beating(self) -> None:
        """Write the heartbeat until cancelled, on the event loop: one that hangs has none."""
        while True:
            self.beat()
            await asyncio.sleep(BEAT_S)

    def check(self) -> None:
        """Check that the home is where it was; raises `UserError` HOME_REMOVED or HOME_MOVED.

        A deleted lock file is made again. Raises OSError where it cannot be seen.
        """
        if self._home is None:
            return
        home = self._path.parent
        if not _is_at(home, self._home):
            raise _lost(home, self._home)
        if (self._file is None or not _is_at(self._path, self._file)) and not self._lock_file():
            holder = f" (process {self.holder})" if self.holder else ""
            message = f"Another program{holder} has taken the lock of {home}."
            raise user_error("HOME_MOVED", message, "End it, or let it supervise.")

    def release(self) -> None:
        """Release the locks, so that another engine can supervise."""
        for handle in (self._file, self._home):
            if handle is not None:
                os.close(handle)
        self._file = self._home = None
        self._since = 0.0


def _locked(handle: int, *, is_folder: bool = False) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        if not is_folder:
            raise
        # A network file system that locks no folders: the file has to do.
    return True


def _is_at(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _lost(home: Path, handle: int) -> UserError:
    """Return the error for a home that is not at its path any more: removed, or only renamed."""
    if os.fstat(handle).st_nlink == 0:
        return user_error("HOME_REMOVED", f"The home {home} was removed.")
    name = ""
    with suppress(OSError):
        name = str(Path(f"/proc/self/fd/{handle}").readlink())
    if name.endswith(" (deleted)"):
        return user_error("HOME_REMOVED", f"The home {home} was removed.")
    to = f" to {name}" if name else ""
    return user_error("HOME_MOVED", f"The home {home} was moved{to}.")
