"""The live reports of the run that is on screen, read a few times a second while it works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.widget import Widget

from engine.domain.errors import UserError
from engine.domain.live import LiveReport
from engine.domain.model import Run
from tui.widgets.status.toast import app_of, report, tell

if TYPE_CHECKING:
    from engine.ports.engine import LiveReportsPort

READ_S = 0.2


class LiveFeed:
    """Feed of one view: it reads while the view is on screen, and its run works."""

    def __init__(
        self,
        view: Widget,
        open_live: Callable[[Run], LiveReportsPort | None],
        show: Callable[[Sequence[LiveReport]], None],
    ) -> None:
        self._view, self._open, self._show = view, open_live, show
        self._followed: tuple[object, ...] | None = None
        self._live: LiveReportsPort | None = None
        self._is_reading = False

    @property
    def is_open(self) -> bool:
        """Return whether there is something to read."""
        return self._live is not None

    def follow(self, run: Run | None, goal: object = None) -> None:
        """Read the reports of a run as it is now, for a goal; None: of none.

        For another attempt, or another goal, reading begins again near the end of the output.
        """
        wanted = (run.id, run.attempt, run.status, run.is_interactive, goal) if run else None
        if wanted == self._followed:
            return
        self._followed = wanted
        try:
            self._live = self._open(run) if run else None
        except UserError as error:
            report(app_of(self._view), error)
            self._live = None
        if self._live and not self._is_reading:
            self._is_reading = True
            self._view.run_worker(self._read, group="live")

    async def _read(self) -> None:
        try:
            while live := self._live:
                if self._view.screen.is_current and self._view.is_on_screen:
                    await self._read_once(live)
                await asyncio.sleep(READ_S)
        finally:
            self._is_reading = False

    async def _read_once(self, live: LiveReportsPort) -> None:
        try:
            reports = await live.read()
        except OSError as error:
            if live is self._live:
                self._live = None
                tell(app_of(self._view), f"No live output: {error.strerror}", is_warning=True)
            return
        if live is self._live:
            self._show(reports)
