"""The clock of the supervising engine: wall time that a jump or a sleep of the machine cannot move.

Wall time is `offset` + the seconds that the machine was awake. A jump of the wall clock and a sleep
both change that offset, so they are seen by comparing: `gap` returns how far the wall clock has
gone from the offset in use. Nothing moves until `step` and `settle` adopt the new offset.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

from engine.domain.record import record
from engine.domain.skipped_time import ClockGap

DAY_S = 86_400.0
CLOSE_S = 0.05
"""Clocks read within this time of each other count as read at one moment."""
TRIES = 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = Path("/proc/self/ns/time")


@record
class ClockReading:
    """All clocks at one moment; `awake` and `slept` count since the machine started."""

    wall: float
    awake: float
    slept: float


class SystemClocks:
    """The clocks of the machine; tests replace it."""

    def awake(self) -> float:
        """Return the seconds that the machine was awake since it started."""
        return time.monotonic()

    def read(self) -> ClockReading:
        """Read all clocks at one moment."""
        reading, took_s = _read()
        for _ in range(TRIES):
            if took_s < CLOSE_S:
                break
            reading, took_s = _read()  # this process was stopped between two clocks
        return reading

    def boot(self) -> str:
        """Return what differs after each start of the machine; nothing where that is unknown."""
        return boot_id()


def _read() -> tuple[ClockReading, float]:
    """Read all clocks; return how long that took, too."""
    before = time.monotonic()
    wall, with_sleep = time.time(), _with_sleep()
    awake = time.monotonic()
    return ClockReading(wall, awake, with_sleep - awake), awake - before


def _with_sleep() -> float:
    """Return the seconds since the machine started, those asleep included."""
    # On macOS, CLOCK_MONOTONIC continues during sleep and time.monotonic() does not.
    name = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
    return time.clock_gettime(name)


@cache
def boot_id() -> str:
    """Return what differs after each start of the machine; nothing where that is unknown."""
    try:
        if sys.platform == "linux":
            # Containers may have clocks of their own.
            return f"{_BOOT_ID.read_text().strip()} {_TIME_NAMESPACE.readlink()}"
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


@record
class ClockAnchor:
    """The relation of wall time to time awake; valid for one start of the machine (`boot`)."""

    boot: str
    offset: float
    """Wall time - seconds awake."""
    slept: float
    hold_until: float = 0.0
    """Time before which nothing expires, in seconds awake; 0: no hold."""
    wall: float = 0.0
    """Time at which this was stored; 0: unknown."""


class Clock:
    """Wall time without jumps, see the module."""

    def __init__(self, clocks: SystemClocks | None = None) -> None:
        self._clocks = clocks or SystemClocks()
        self.anchor = self._read()
        """The anchor that new time stamps use."""
        self._settled = self.anchor

    def now(self) -> float:
        """Return the time to decide by: while the clock steps, the earlier of both times.

        So a run whose times were not moved yet never looks older than it is.
        """
        return min(self._settled.offset, self.anchor.offset) + self._clocks.awake()

    def stamp(self) -> float:
        """Return the time to store events with."""
        return self.anchor.offset + self._clocks.awake()

    def start(self, stored: ClockAnchor | None) -> None:
        """Continue with the anchor of an earlier engine, if it is of this start of the machine."""
        fresh = self._read()
        if stored and fresh.boot and stored.boot == fresh.boot:
            self.anchor = self._settled = stored
            return
        # How long the machine was off is unknown, and its date may be wrong since: a hold begins.
        awake = self._clocks.awake()
        is_held = stored is not None and (
            stored.hold_until > 0 or 0 < stored.wall < fresh.offset + awake - DAY_S
        )
        hold_until = awake + DAY_S if is_held else 0.0
        self.anchor = self._settled = replace(fresh, hold_until=hold_until)

    def to_store(self) -> ClockAnchor:
        """Return the anchor with which another engine can continue."""
        return replace(self.anchor, wall=self.stamp())

    def gap(self) -> ClockGap:
        """Return how far the wall clock has gone from the offset that was settled."""
        return self._between(self._read())

    def step(self) -> ClockGap:
        """Adopt the offset of the wall clock for `stamp`; return the gap that this closes."""
        fresh = self._read()
        gap, awake = self._between(fresh), self._clocks.awake()
        hold_until = max(self.anchor.hold_until, self._settled.hold_until)
        if gap.jumped_s > DAY_S:
            hold_until = awake + DAY_S
        self.anchor = replace(fresh, hold_until=hold_until if hold_until > awake else 0.0)
        return gap

    def settle(self) -> None:
        """Adopt the offset of the last `step` for `now`, too."""
        self._settled = self.anchor

    @property
    def is_trusted(self) -> bool:
        """Return whether ages are trusted: not for a day after a jump of over a day forward."""
        return self._clocks.awake() >= self.anchor.hold_until and self.gap().jumped_s <= DAY_S

    @property
    def has_ended_hold(self) -> bool:
        """Return whether a hold is over and still noted."""
        return 0.0 < self._settled.hold_until <= self._clocks.awake()

    def _between(self, fresh: ClockAnchor) -> ClockGap:
        before = self._settled
        return ClockGap(fresh.offset - before.offset, max(0.0, fresh.slept - before.slept))

    def _read(self) -> ClockAnchor:
        found = self._clocks.read()
        return ClockAnchor(self._clocks.boot(), found.wall - found.awake, found.slept)
