"""The state of a home's supervisor, as any process can see it from outside."""

from __future__ import annotations

import fcntl
import os
import time
from enum import StrEnum
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.record import record

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
HUNG_S = 20.0
"""Age of the last heartbeat from which a supervisor counts as hung."""


class HolderState(StrEnum):
    """The state of a home's supervision."""

    ABSENT = "absent"
    RUNNING = "running"
    STOPPED = "stopped"
    HUNG = "hung"


@record
class LockHolder:
    """The process that holds a home's supervisor lock, and how it does."""

    condition: HolderState
    pid: int | None = None
    since: float | None = None
    beat_age_s: float | None = None

    @property
    def is_alive(self) -> bool:
        """Return whether there is such a process."""
        return self.condition is not HolderState.ABSENT

    @property
    def problem(self) -> str:
        """The reason why this supervisor does nothing, and the fix; empty where it works."""
        if self.condition is HolderState.STOPPED:
            return (
                f"The supervisor (process {self.pid}) is stopped: no run is supervised. "
                f"Continue it with `fg` in its shell or `kill -CONT {self.pid}`."
            )
        if self.condition is HolderState.HUNG:
            return (
                f"The supervisor (process {self.pid}) gave no sign of life for "
                f"{self.beat_age_s or 0:.0f} s. If it stays so, end it with `kill -9 {self.pid}`: "
                "the runs stay alive, and another process supervises them."
            )
        return ""


def read_holder(path: Path) -> LockHolder:
    """Return who holds the supervisor lock at `path`. Raises `UserError` if that is unknown."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return LockHolder(HolderState.RUNNING if _is_folder_held(path) else HolderState.ABSENT)
    except OSError as error:
        raise lock_unusable(path, error) from error
    try:
        if not _is_held(file):
            return LockHolder(HolderState.RUNNING if _is_folder_held(path) else HolderState.ABSENT)
        text = os.pread(file, 200, 0).decode("ascii", "replace")
    except OSError as error:
        raise lock_unusable(path, error) from error
    finally:
        os.close(file)
    return _holder(text)


def lock_unusable(path: Path, error: OSError) -> Exception:
    """Return the error for a supervisor lock that cannot be read or taken."""
    return user_error(
        "NOT_SUPERVISED",
        f"The supervisor lock {path} cannot be used: {error.strerror or error}.",
        "Check its owner and permissions, and that its file system supports locks.",
    )


def beat_line(since: float) -> str:
    """Return the heartbeat to write below the process id: its start, and the clock now.

    The clock is monotonic: a jump of the wall clock is not a silence. It stands still while the
    machine sleeps where the system has such a clock (Linux, macOS).
    """
    return f"{since:.0f} {time.monotonic():017.3f}\n"


def _is_folder_held(path: Path) -> bool:
    """Return whether the home's folder is locked: the lock file may have been deleted."""
    try:
        folder = os.open(path.parent, FOLDER)
    except OSError:
        return False
    try:
        return _is_held(folder)
    except OSError:  # a file system that locks no folders
        return False
    finally:
        os.close(folder)


def _is_held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _holder(text: str) -> LockHolder:
    """Return the holder that wrote `text`; an unknown form counts as a supervisor that works."""
    try:
        words = text.split()
        pid = int(words[0])
        since, beat = (float(words[1]), float(words[2])) if len(words) >= 3 else (None, None)
    except (IndexError, ValueError):
        return LockHolder(HolderState.RUNNING)
    age = None if beat is None else time.monotonic() - beat
    if is_stopped(pid):
        return LockHolder(HolderState.STOPPED, pid, since, age)
    hung = age is not None and age > HUNG_S
    return LockHolder(HolderState.HUNG if hung else HolderState.RUNNING, pid, since, age)


def is_stopped(pid: int) -> bool:
    """Return whether a signal or a debugger stopped the process; False where that is unknown."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2]
    except FileNotFoundError:
        state = "" if Path("/proc/self").exists() else _asked_ps(pid)
    except OSError:
        return False
    return state.strip()[:1] in ("T", "t")


def _asked_ps(pid: int) -> str:
    import subprocess  # late: Linux needs no program for it

    from engine.system import programs

    command = [programs.find("ps") or "/bin/ps", "-o", "stat=", "-p", str(pid)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
