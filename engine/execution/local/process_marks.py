"""Processes known by a mark in their environment: which attempt they belong to.

A descendant that left group and session still carries the mark, and a process that merely got the
same pid does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from engine.config.paths import AttemptFolder

MARK = "SWARM_MARK"
GUARD = "swarm-guard"
"""The name of the processes that watch an attempt: nothing that it has left."""
EARLIER_MARK = "SWARM_ATTEMPT"
"""Name of it in versions up to 0.1: a run of theirs may still be at work."""
START_FIELD = 19
"""Position of the start time in /proc/PID/stat, counted from the state."""
_MARK_BYTES, _EARLIER_BYTES = f"{MARK}=".encode(), f"{EARLIER_MARK}=/".encode()


def mark(folder: AttemptFolder) -> str:
    """Return the mark in the environment of every process of the attempt.

    The real path: the next engine may come to the same home by another name.
    """
    return os.path.realpath(folder.path)


def marks() -> dict[str, list[int]]:
    """Return all marks that living processes carry, with their pids."""
    found: dict[str, list[int]] = {}
    for pid in _pids():
        value = _mark_of(pid)
        if value is not None and pid != os.getpid():
            found.setdefault(value, []).append(pid)
    return found


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A living process; `session` is 0 and `started` a time of its own kind where need be."""

    parent: int
    session: int
    started: float
    mark: str | None


def processes() -> dict[int, ProcessInfo]:
    """Return all living processes that can be looked at, by pid."""
    return {pid: seen for pid in _pids() if (seen := _seen(pid))}


def _seen(pid: int) -> ProcessInfo | None:
    if sys.platform != "linux":
        return _psutil_seen(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  hot
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < START_FIELD + 1 or fields[0] in (b"Z", b"X"):
        return None
    return ProcessInfo(int(fields[1]), int(fields[3]), float(fields[START_FIELD]), _mark_of(pid))


def _psutil_seen(pid: int) -> ProcessInfo | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return ProcessInfo(process.ppid(), 0, process.create_time(), _mark_of(pid))
    except (psutil.Error, OSError):
        return None


def marked(value: str) -> list[int]:
    """Return the pids of all living processes whose environment carries the mark `value`."""
    return [pid for pid in _pids() if pid != os.getpid() and carries(pid, value)]


def _pids() -> Iterable[int]:
    if sys.platform == "linux":
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  hot
    import psutil

    return psutil.pids()


def carries(pid: int, value: str) -> bool:
    """Return whether a process is alive and carries the mark `value`."""
    return _mark_of(pid) == value


def _mark_of(pid: int) -> str | None:
    """Return the mark in a process's environment, as it was started; a dead one has none."""
    if sys.platform != "linux":
        return _psutil_mark_of(pid)
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123  hot
            environment = file.read()
    except OSError:
        return None
    start = environment.find(_MARK_BYTES)
    if start < 0:
        start = environment.find(_EARLIER_BYTES)  # a path: today's is a number
    if start < 0 or (start and environment[start - 1]):
        return None
    value = environment[start:].partition(b"\0")[0].partition(b"=")[2]
    return os.fsdecode(value)


def _psutil_mark_of(pid: int) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        zombie = process.status() == psutil.STATUS_ZOMBIE
        if zombie:
            return None
        found = process.environ()
        earlier = found.get(EARLIER_MARK, "")
        return found.get(MARK) or (earlier if earlier.startswith("/") else None)
    except (psutil.Error, OSError):
        return None


def cpu_s(pid: int) -> float:
    """Return the processor time, in seconds, that a process has used."""
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def group(pid: int) -> int | None:
    """Return the process group that a process is in, if it is there."""
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def session(pid: int) -> int | None:
    """Return the session that a process is in, if it is there."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def process_name(pid: int) -> str:
    """Return the name of a process's program; `?` where it has ended."""
    import psutil

    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "?"


def has_word(pid: int, words: Iterable[str]) -> bool:
    """Return whether one of the words stands in the command line of a process."""
    import psutil

    try:
        line = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
    return any(word in line for word in words if word)
