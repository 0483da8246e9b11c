"""The processes of an attempt: those that carry its mark, and those they started without it.

A command whose environment was emptied carries no mark. It is known by its parent, or by the
session of a known leader, and stays known by pid and start time when its parent has died. A process
that left session and parent before the first scan cannot be known.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping

from engine.execution.local.process_marks import ProcessInfo, processes


class ProcessCensus:
    """Looks at all processes; many who ask at a time share one look that began after they asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = 0.0
        self._found: Mapping[int, ProcessInfo] = {}

    def snapshot(self, asked: float) -> Mapping[int, ProcessInfo]:
        """Return all living processes, as seen since `asked`, a `time.monotonic()`."""
        with self._lock:
            if self._began <= asked:
                self._began = time.monotonic()
                self._found = processes()
            return self._found


class ProcessFamily:
    """The processes of the attempt with this mark, as far as they were seen."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._known: dict[int, float] = {}
        """Start times by pid."""
        self._sessions: set[int] = set()
        """Sessions that a process of the attempt leads or led: all of them are its descendants."""

    def members(self, seen: Mapping[int, ProcessInfo]) -> list[int]:
        """Return the pids of those that are alive, and remember them."""
        ours: set[int] = set()
        found = {pid for pid, one in seen.items() if self._is_known(pid, one)}
        while True:
            ours |= found
            self._sessions |= {pid for pid in found if seen[pid].session == pid}
            found = {
                pid for pid, one in seen.items() if pid not in ours and self._belongs(one, ours)
            } - {os.getpid()}
            if not found:
                break
        self._known = {pid: seen[pid].started for pid in ours}
        # A number is not given to another process while its session has members.
        self._sessions &= {seen[pid].session for pid in ours}
        return sorted(ours)

    def _is_known(self, pid: int, one: ProcessInfo) -> bool:
        if pid == os.getpid():
            return False
        return one.mark == self._mark or self._known.get(pid) == one.started

    def _belongs(self, one: ProcessInfo, ours: set[int]) -> bool:
        return one.mark is None and (one.parent in ours or one.session in self._sessions)
