"""How busy each run was lately: its events counted by stretches of time, for sparklines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from engine.domain.events import Event, StatusChanged
from engine.domain.lifecycle import FINISHED

STRETCH_S = 4.0
"""The length of time that one bar of a sparkline stands for."""
STRETCHES = 32
"""How many are remembered of a run."""


class Pulse:
    """Counts what it hears; runs that have ended are kept as they were, live ones beat on."""

    def __init__(self) -> None:
        self._beats: dict[str, deque[tuple[int, int]]] = {}
        self._ended: dict[str, int] = {}

    def hear(self, events: Iterable[Event]) -> None:
        """Take in what happened."""
        for event in events:
            at = int(event.at // STRETCH_S)
            beats = self._beats.setdefault(event.run, deque(maxlen=STRETCHES))
            if beats and beats[-1][0] >= at:
                beats[-1] = (beats[-1][0], beats[-1][1] + 1)
            else:
                beats.append((at, 1))
            if isinstance(event.body, StatusChanged):
                if event.body.status in FINISHED:
                    self._ended[event.run] = at
                else:
                    self._ended.pop(event.run, None)

    def lately(self, run_id: str, now: float, count: int) -> Sequence[int]:
        """Give the events of the last `count` stretches until now, or until the run ended."""
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
