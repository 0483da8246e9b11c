"""Recent activity of each run: its events counted by stretches of time, for sparklines."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.domain.events import StatusChanged
from engine.domain.lifecycle import FINISHED

if TYPE_CHECKING:
    from engine.engine import EventBatch

STRETCH_S = 4.0
"""The length of time that one bar of a sparkline stands for."""
STRETCHES = 32
"""Number of bars that are remembered of a run."""
KEPT = 1_000
"""Runs that are remembered."""


class ActivityHistory:
    """Counts what it hears; runs that have ended are kept as they were, live ones beat on.

    Only of the runs that were heard of last: a dashboard may stay open for weeks.
    """

    def __init__(self) -> None:
        self._beats: dict[str, deque[tuple[int, int]]] = {}
        self._ended: dict[str, int] = {}

    def hear(self, batch: EventBatch) -> None:
        """Take in what happened."""
        for run, heard in batch.by_run.items():
            beats = self._beats.pop(run, None) or deque(maxlen=STRETCHES)
            self._beats[run] = beats  # at the end, as the latest
            first, last = int(heard[0].at // STRETCH_S), int(heard[-1].at // STRETCH_S)
            if first == last:
                _beat(beats, first, len(heard))
            else:
                for event in heard:
                    _beat(beats, int(event.at // STRETCH_S), 1)
        for event in batch.besides_steps:
            if isinstance(event.body, StatusChanged):
                self._turned(event.run, event.body, int(event.at // STRETCH_S))
        while len(self._beats) > KEPT:
            oldest = next(iter(self._beats))
            del self._beats[oldest]
            self._ended.pop(oldest, None)

    def _turned(self, run: str, body: StatusChanged, at: int) -> None:
        if body.status in FINISHED:
            self._ended[run] = at
        else:
            self._ended.pop(run, None)

    def lately(self, run_id: str, now: float, count: int) -> Sequence[int]:
        """Return the event counts of the last `count` stretches until now or the run's end."""
        beats = self._beats.get(run_id)
        if not beats:
            return ()
        last = self._ended.get(run_id, int(now // STRETCH_S))
        found = [0] * count
        for at, number in reversed(beats):
            place = count - 1 - (last - at)
            if place < 0:
                break
            found[min(place, count - 1)] += number
        return found


def _beat(beats: deque[tuple[int, int]], at: int, count: int) -> None:
    """Count events of a stretch; those that come late count for the last one."""
    if beats and beats[-1][0] >= at:
        beats[-1] = (beats[-1][0], beats[-1][1] + count)
    else:
        beats.append((at, count))
