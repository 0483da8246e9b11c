"""Commands for the queue and for all live runs: pause, slots, orphans, quit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from engine.domain import lifecycle
from engine.domain.model import Pause, Run, Status
from engine.domain.queue import paused
from tui.widgets.status.toast import attempt, tell

if TYPE_CHECKING:
    from tui.app import SwarmApp

BY_HAND = "paused by the user"


def farewell(count: int) -> str:
    """Return the line that is printed when the dashboard leaves live runs to continue."""
    runs, them = ("1 run continues", "it") if count == 1 else (f"{count:,} runs continue", "them")
    return f"{runs}. `swarm-tui` shows {them}; `swarm-tui cancel --all` stops {them}."


class QueueActions:
    """Commands that concern no single run; `goes_on`: the runs may outlive the app."""

    def __init__(self, app: SwarmApp, *, goes_on: bool) -> None:
        self._app = app
        self._engine = app.engine
        self._goes_on = goes_on
        self._one_by_one = asyncio.Lock()
        self.farewell = ""
        """The line to print after the terminal is restored; empty for none."""

    # The queue

    def toggle_pause(self) -> None:
        """Pause the queue, or continue it."""
        self._app.run_worker(self._toggle_pause, group="queue")

    async def _toggle_pause(self) -> None:
        async with self._one_by_one:
            stands = paused(self._engine.pause, self._app.clock())
            await self._attempt(self._engine.set_pause(None if stands else Pause(BY_HAND)))

    def change_slots(self, by: int) -> None:
        """Change how many runs may run at a time; those that run go on."""

        async def change() -> None:
            async with self._one_by_one:
                await self._attempt(self._engine.set_slots(self._engine.slots + by))

        self._app.run_worker(change, group="queue")

    async def _attempt(self, asked: Awaitable[object]) -> None:
        await attempt(self._app, asked)

    # Processes of runs that have ended

    def report_orphans(self, hint: str) -> None:
        """Show once how many ended runs left processes alive, with a hint how to end them."""

        async def look() -> None:
            count = len(await attempt(self._app, self._engine.doctor.orphans()) or ())
            if count:
                runs = "A run that has ended" if count == 1 else f"{count} runs that have ended"
                tell(self._app, f"{runs} left processes alive. {hint}", is_warning=True)

        self._app.run_worker(look, group="orphans")

    # The end

    def live_runs(self) -> list[Run]:
        """Return the runs that have not ended, those that wait first."""
        live = [run for run in self._engine.view.runs.values() if run.status in lifecycle.LIVE]
        return sorted(live, key=lambda run: run.status is not Status.QUEUED)

    def quit(self) -> None:
        """Close the app: live runs continue; where they cannot, ask first."""
        live = self.live_runs()
        if live and not self._goes_on:
            self._ask_to_quit(len(live))
            return
        self.farewell = farewell(len(live)) if live else ""
        self._app.exit()

    def _ask_to_quit(self, count: int) -> None:
        from tui.screens.confirm import ConfirmChoice, confirm

        runs = (
            "1 run is not finished and ends"
            if count == 1
            else f"{count} runs are not finished and end"
        )
        choice = ConfirmChoice("quit", "q", "Cancel and quit", is_danger=True)
        confirm(self._app, f"{runs} with this window.", choice, self._cancel_and_quit, keep="Stay")

    def _cancel_and_quit(self) -> None:
        self._app.run_worker(self._cancel_all, group="quit", exclusive=True)

    async def _cancel_all(self) -> None:
        from tui.screens.confirm import ExitDialog

        live = self.live_runs()
        text = f"Waiting for {len(live)} to end, at most {self._engine.config.grace_s:g} s …"
        self._app.push_screen(ExitDialog("Stopping", text))
        batches = self._engine.batches(0)
        asked: set[tuple[str, int]] = set()
        while live := self.live_runs():
            # The demo's script or another command may go on starting runs meanwhile.
            new = [run for run in live if (run.id, run.attempt) not in asked]
            for run in new:  # those that wait end first, so that none of them starts in between
                asked.add((run.id, run.attempt))
                await self._attempt(self._engine.cancel(run.id))
            if not new:
                self._engine.check_works()
                await anext(batches)
        self._app.exit()
