"""Reporter of the supervising engine's faults to all faces.

Every process of the home sees them (a shared setting), the runs concerned get a notice, and the
queue pauses while the machine lacks something.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from engine.domain.events import Notice
from engine.domain.fault import Fault, fault_words
from engine.domain.model import Pause
from engine.domain.projection import View
from engine.execution import task_tree
from engine.execution.faults import Faults
from engine.execution.shared_settings import SharedSettings
from engine.store.appending import AppendRequest

GAP_S = 1.0
"""Time from one report to the next: a part may fail many times a second."""
PAUSE_S = 5.0
"""Length of a pause after the condition was met last, beside the rest of the task."""
AFFECTS_ALL = frozenset({"follower", "watcher", "scheduler", "journal", "look-after"})
"""Tasks that serve all active runs."""
RETOLD_S = 600.0

Commit = Callable[[Sequence[AppendRequest]], Awaitable[object]]
SetPause = Callable[[Pause | None], Awaitable[None]]


class FaultReporter:
    """Reports the faults of a supervising engine; `notify` it when they changed."""

    def __init__(
        self,
        faults: Faults,
        shared: SharedSettings,
        view: View,
        commit: Commit,
        pause: SetPause,
        now: Callable[[], float],
    ) -> None:
        self._faults = faults
        self._shared = shared
        self._view = view
        self._commit = commit
        self._pause = pause
        self._now = now
        self._changed = asyncio.Event()
        self._changed.set()
        self._noticed: dict[str, float] = {}
        """Time at which a notice of a part's fault was last written to runs."""

    def notify(self) -> None:
        """Take note that faults were recorded or cleared."""
        self._changed.set()

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._report(self._faults.current)
            except BaseException:
                self._changed.set()  # a failed report is made later
                raise
            await asyncio.sleep(GAP_S)

    async def _report(self, current: tuple[Fault, ...]) -> None:
        await self._shared.set_faults(current)
        waiting = [(fault.passing, fault.count) for fault in current if fault.passing]
        if waiting:
            (condition, _), until = waiting[0], self._now() + PAUSE_S
            until += max(task_tree.BACKOFF.wait_s(count) for _, count in waiting)
            await self._pause(Pause(condition.value, until, condition.waiting_for))
        for fault in current:
            await self._notify_runs(fault)

    async def _notify_runs(self, fault: Fault) -> None:
        """Write a notice to the runs that a fault concerns: one a part, not one a fault."""
        now = time.monotonic()
        if now - self._noticed.get(fault.task, -RETOLD_S) < RETOLD_S:
            return
        runs = [fault.run] if fault.run else []
        if fault.task in AFFECTS_ALL:
            runs = [run.id for run in self._view.active()]
        if runs:
            notice = Notice("warning", f"internal fault: {fault_words(fault)}")
            await self._commit([AppendRequest(run, [notice]) for run in runs])
            self._noticed[fault.task] = now
