"""The forecast of the limits, read in the background for the top bar."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.widget import Widget

from engine.domain.usage import LimitCycle

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

FORECAST_S, LIMITS_S = 60.0, 3.0
"""Seconds from one forecast to the next: without and with new limits."""


class ForecastReader:
    """Reader of the forecast; never more often than every `LIMITS_S` seconds."""

    def __init__(self, owner: Widget, show: Callable[[tuple[LimitCycle, ...]], None]) -> None:
        self._owner = owner
        self._show = show
        self._engine: EnginePort | None = None
        self._every: Timer | None = None
        self._next: Timer | None = None

    def start(self, engine: EnginePort) -> None:
        """Read the forecast now and from time to time."""
        if self._every is None:
            self._engine = engine
            self._every = self._owner.set_interval(FORECAST_S, self._start_reading)
            self._start_reading()

    def notify(self) -> None:
        """Take note that limits were reported."""
        self._read_soon()

    def _read_soon(self) -> None:
        if self._every and self._next is None:
            self._next = self._owner.set_timer(LIMITS_S, self._start_reading)

    def _start_reading(self) -> None:
        if self._next:
            self._next.stop()
            self._next = None
        if self._engine:
            work = partial(self._read, self._engine)
            self._owner.run_worker(work, group="forecast", exclusive=True)

    async def _read(self, engine: EnginePort) -> None:
        faults = engine.tasks.faults
        with faults.guard("forecast"):
            self._show(await engine.usage.limits())
        if faults.is_failing("forecast"):
            self._read_soon()
