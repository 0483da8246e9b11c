"""Monitor of the supervision of a home, in an engine that does not supervise."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from engine.domain.errors import UserError
from engine.execution.supervision_state import unsupervised
from engine.execution.supervisor_lock import SupervisorLock
from engine.execution.supervisor_status import HolderState, LockHolder, read_holder

LOOK_S = 1.0
ABSENT_S = 3.0
"""Time for which the lock may be free before it is reported: engines hand over to each other."""


class SupervisionMonitor:
    """Looks every second who supervises, while `is_needed`; `changed` is called at each change."""

    def __init__(
        self,
        ownership: SupervisorLock,
        is_needed: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self.problem = ""
        """Reason why the runs are not supervised, in words; empty while they are."""
        self.since: float | None = None
        """Until when they were supervised, in seconds since 1970; None while they are."""
        self._ownership = ownership
        self._is_needed = is_needed
        self._changed = changed
        self._absent_since: float | None = None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(LOOK_S)

    async def check(self) -> None:
        """Look once."""
        if self._ownership.held or not self._is_needed():
            self._absent_since = None
            self._show("", 0.0)
            return
        try:
            holder = await asyncio.to_thread(read_holder, self._ownership.path)
        except UserError as error:
            self._show(error.message, 0.0)
            return
        if not holder.is_alive:
            self._show(*self._absent())
            return
        self._absent_since = None
        self._show(holder.problem, holder.beat_age_s or 0.0)

    def _absent(self) -> tuple[str, float]:
        now = time.monotonic()
        self._absent_since = self._absent_since or now
        absent_s = now - self._absent_since
        return (
            unsupervised(LockHolder(HolderState.ABSENT)) if absent_s >= ABSENT_S else "",
            absent_s,
        )

    def _show(self, problem: str, age_s: float) -> None:
        if problem == "":
            self.since = None
        elif self.since is None:
            self.since = time.time() - age_s
        if (problem == "") != (self.problem == ""):
            self.problem = problem
            self._changed()
        self.problem = problem
