"""Reminders of requests that wait for the user, by the engine that supervises."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence

from engine.config.settings import ApprovalSettings
from engine.domain import unanswered
from engine.domain.events import Body
from engine.domain.model import Run
from engine.domain.projection import View
from engine.execution.journal import Journal

LOOK_S = 1.0


class InputReminder:
    """Looks after the open requests of all runs: notices, reminders, and the time limit."""

    def __init__(
        self,
        view: View,
        journal: Journal,
        settings: ApprovalSettings,
        clock: Callable[[], float],
    ) -> None:
        self._view = view
        self._journal = journal
        self._settings = settings
        self._clock = clock

    async def run(self) -> None:
        """Look after them until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.check()

    async def check(self) -> None:
        """Record what is due now; each is decided on the run as it is stored."""
        waiting = [run.id for run in self._view.active() if self._due(run)]
        for run_id in waiting:
            await self._journal.change(run_id, self._due)

    def _due(self, run: Run) -> Sequence[Body]:
        remind, give_up = self._settings.remind, self._settings.give_up
        remind_s = None if remind is None else float(remind)
        give_up_s = None if give_up is None else float(give_up)
        return unanswered.due(run, self._clock(), remind_s, give_up_s, _new_message)


def _new_message() -> str:
    return f"message:{uuid.uuid4().hex}"
