"""Progress of work in many steps: a count, and about the time left."""

from __future__ import annotations

import time
from collections.abc import Callable

from tui.formatting.numbers import length

SURE_S = 1.0
"""Time after which the time left is estimated: before, a few steps prove little."""


class WorkProgress:
    """Progress of one piece of work, whose steps take about the same time."""

    def __init__(self, what: str, of: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.what, self._clock = what, clock
        self._began = clock()
        self.done, self.of = 0, of

    def at(self, done: int, of: int | None = None) -> str:
        """Return the work in words, with so many of the steps done."""
        self.done = done
        self.of = self.of if of is None else of
        return self.words

    @property
    def words(self) -> str:
        """The work, the count, and about the time left."""
        count = f"{self.what}: {self.done:,} of {self.of:,}" if self.of else self.what
        left_s = self.left_s
        return count if left_s is None else f"{count} · about {length(left_s)} left"

    @property
    def left_s(self) -> float | None:
        """The estimated time left, in seconds; None where it is not known."""
        took = self._clock() - self._began
        if took < SURE_S or not 0 < self.done < self.of:
            return None
        return took * (self.of - self.done) / self.done

    @property
    def percent(self) -> float | None:
        """The share of the steps that are done; None where their number is not known."""
        return 100 * self.done / self.of if self.of else None
