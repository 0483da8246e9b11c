"""What can be asked of the swarm as a whole: a pause, more slots, an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import work
from textual.app import App

from engine.domain import lifecycle
from engine.domain.model import Pause, Run, Status
from engine.domain.queue import paused
from tui.widgets.status.toast import attempt, tell

if TYPE_CHECKING:
    from engine.engine import Engine

BY_HAND = "paused by the user"


class QueueActions(App[None]):
    """An app on an open engine, which it does not own."""

    def __init__(self, engine: Engine, clock: Callable[[], float], *, goes_on: bool) -> None:
        super().__init__()
        self.engine = engine
        self.clock = clock
        self._goes_on = goes_on
        self._one_by_one = asyncio.Lock()

    # The queue

    @work(group="queue")
    async def action_pause(self) -> None:
        """Let the queue start nothing more, or let it go on."""
        async with self._one_by_one:
            stands = paused(self.engine.pause, self.clock())
            await attempt(self, self.engine.set_pause(None if stands else Pause(BY_HAND)))

    def action_more_slots(self) -> None:
        """Allow one run more at a time."""
        self._change_slots(1)

    def action_fewer_slots(self) -> None:
        """Allow one run less at a time; those that run go on."""
        self._change_slots(-1)

    @work(group="queue")
    async def _change_slots(self, by: int) -> None:
        async with self._one_by_one:
            await attempt(self, self.engine.set_slots(self.engine.slots + by))

    # Processes that should be none

    @work(group="orphans")
    async def look_for_orphans(self, way: str) -> None:
        """Say once that a dead engine left something, and the way to be rid of it."""
        count = len(await attempt(self, self.engine.doctor.orphans()) or ())
        if count:
            runs = "A run that has ended" if count == 1 else f"{count} runs that have ended"
            tell(self, f"{runs} left processes alive. {way}", is_warning=True)

    # The end

    def live_runs(self) -> list[Run]:
        """Give the runs that have not ended, those that wait first."""
        live = [run for run in self.engine.view.runs.values() if run.status in lifecycle.LIVE]
        return sorted(live, key=lambda run: run.status is not Status.QUEUED)

    async def action_quit(self) -> None:
        """Quit; with live runs only after asking what becomes of them."""
        from tui.screens.confirm import ConfirmChoice, ConfirmDialog

        live = self.live_runs()
        if not live:
            self.exit()
            return
        count = "1 run is" if len(live) == 1 else f"{len(live)} runs are"
        cancel = ConfirmChoice("cancel", "c", "cancel them", is_danger=True)
        stay = ConfirmChoice("stay", "s", "stay")
        if self._goes_on:
            text = (
                f"{count} not finished. Left running, they go on in the background, and those "
                "that wait get their turn: swarm-tui shows them again."
            )
            choices = [ConfirmChoice("leave", "l", "leave them running"), cancel, stay]
        else:
            text = f"{count} not finished, and nothing here outlives this window."
            choices = [stay, cancel]
        self.push_screen(ConfirmDialog("Quit?", text, choices, default=choices[0].id), self._quit)

    def _quit(self, answer: str | None) -> None:
        if answer == "leave":
            self.exit()
        elif answer == "cancel":
            self._cancel_all()

    @work(group="quit", exclusive=True)
    async def _cancel_all(self) -> None:
        from tui.screens.confirm import ExitDialog

        live = self.live_runs()
        text = f"Waiting for {len(live)} to end, at most {self.engine.config.grace_s:g} s …"
        self.push_screen(ExitDialog("Stopping", text))
        for run in live:
            # Those that wait end first, so that none of them starts in between.
            await attempt(self, self.engine.cancel(run.id))
        await self.engine.settle()
        self.exit()
