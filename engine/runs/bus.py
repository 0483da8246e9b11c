"""What happened, handed to whoever looks: one batch a frame, whatever the rate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

from engine.domain.events import Event


@dataclass(slots=True)
class Batch:
    """Events since the last batch, in order, and the ids of the runs that changed."""

    events: list[Event] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)


class Bus:
    """Hands every listener everything published after it began to listen."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()

    def publish(self, events: Iterable[Event], runs: Iterable[str]) -> None:
        """Hand out events, and the ids of the runs they changed; both may be empty."""
        events, runs = list(events), set(runs)
        for listener in self._listeners:
            listener.batch.events += events
            listener.batch.runs |= runs
            listener.ready.set()

    async def batches(self, interval_s: float) -> AsyncGenerator[Batch]:
        """Give batches as they come, at least `interval_s` apart."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            while True:
                await listener.ready.wait()
                listener.ready.clear()
                batch, listener.batch = listener.batch, Batch()
                yield batch
                await asyncio.sleep(interval_s)
        finally:
            self._listeners.discard(listener)


class _Listener:
    def __init__(self) -> None:
        self.batch = Batch()
        self.ready = asyncio.Event()
