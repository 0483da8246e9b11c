"""Which queued run starts next, and who carries each active one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from engine.domain.errors import UserError
from engine.domain.events import Body, StatusChanged
from engine.domain.model import Run, Status
from engine.domain.projection import View
from engine.domain.stamp import NotAllowed
from engine.runs.supervisor import Supervisor, Tools
from engine.store.store import Entry

TICK_S = 1.0
_log = logging.getLogger(__name__)


class Scheduler:
    """Starts queued runs while slots are free, and gives every active run a supervisor."""

    def __init__(self, view: View, tools: Tools, slots: Callable[[], int]) -> None:
        self._view = view
        self._tools = tools
        self._slots = slots
        self._carried: dict[str, tuple[Supervisor, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()

    def saw(self, runs: Iterable[str]) -> None:
        """Take note that these runs changed."""
        for run_id in runs:
            if run_id in self._carried:
                self._carried[run_id][0].poke(self._view.runs[run_id])
        self._wake.set()

    async def run(self) -> None:
        """Schedule until cancelled; what is live then stays alive, for the next engine."""
        polls = (self._tools.follower.run(), self._tools.watcher.run())
        polling = [asyncio.create_task(poll) for poll in polls]
        try:
            while True:
                self._wake.clear()
                self._carry_active()
                started = await self._start_next()
                pause_s = self._tools.config.queue.stagger_s if started else TICK_S
                if started:
                    await asyncio.sleep(pause_s)
                    continue
                with suppress(TimeoutError):
                    # Not wait_for: before Python 3.12 it loses a cancel that meets the wake.
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()
        finally:
            tasks = [*polling, *(task for _, task in self._carried.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _carry_active(self) -> None:
        """Give every active run a supervisor: also those another engine left, or a fault."""
        for run in self._view.active():
            if run.id not in self._carried:
                self._carry(run)

    def _carry(self, run: Run) -> None:
        supervisor = Supervisor(run, self._tools)
        task = asyncio.create_task(supervisor.carry(), name=f"run {run.id}")
        self._carried[run.id] = (supervisor, task)
        task.add_done_callback(lambda done: self._carried_to_end(run.id, done))

    def _carried_to_end(self, run_id: str, task: asyncio.Task[None]) -> None:
        self._carried.pop(run_id, None)
        if not task.cancelled() and (error := task.exception()):
            _log.error("run %s: the supervisor failed", run_id, exc_info=error)
            return
        self._wake.set()

    async def _start_next(self) -> bool:
        """Start the first queued run if a slot is free, and tell whether one was started."""
        queue = self._view.queue()
        if not queue or len(self._carried) >= self._slots():
            return False
        try:
            await self._tools.commit([Entry(queue[0].id, decide=_prepare)])
        except NotAllowed:
            pass
        except UserError as error:
            _log.warning("no run is started yet: %s", error.message)
            return False
        self._carry_active()
        return True


def _prepare(run: Run) -> list[Body]:
    if run.status is not Status.QUEUED:
        raise NotAllowed(run.status)
    return [StatusChanged(Status.PREPARING)]
