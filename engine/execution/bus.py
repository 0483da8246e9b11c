"""Events for listeners: one batch a frame, whatever the rate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self
from weakref import WeakSet

from engine.domain.events import Event, Step


@dataclass
class EventBatch:
    """Events since the last batch, in order, and the ids of the runs that changed."""

    events: list[Event] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)

    @cached_property
    def by_run(self) -> dict[str, list[Event]]:
        """The events of each run, in order: sorted out once, for all who ask."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            found.setdefault(event.run, []).append(event)
        return found

    @cached_property
    def besides_steps(self) -> list[Event]:
        """The events that are not steps of an agent, in order: few of many."""
        return [event for event in self.events if type(event.body) is not Step]


class EventStream:
    """An endless iterator of batches; nothing published after it was made is missed."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._batch = EventBatch()
        self._ready = asyncio.Event()
        self._first = True

    def add(self, events: list[Event], runs: set[str]) -> None:
        """Take in what was published."""
        self._batch.events += events
        self._batch.runs |= runs
        self._ready.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EventBatch:
        if not self._first:
            await asyncio.sleep(self._interval_s)
        self._first = False
        await self._ready.wait()
        self._ready.clear()
        batch, self._batch = self._batch, EventBatch()
        return batch


class EventBus:
    """Bus of events: every listener gets everything published while it is there."""

    def __init__(self) -> None:
        self._listeners: WeakSet[EventStream] = WeakSet()

    def publish(self, events: Iterable[Event], runs: Iterable[str]) -> None:
        """Hand out events, and the ids of the runs they changed; both may be empty."""
        events, runs = list(events), set(runs)
        for listener in self._listeners:
            listener.add(events, runs)

    def batches(self, interval_s: float) -> EventStream:
        """Listen from now on, to batches at least `interval_s` seconds apart."""
        listener = EventStream(interval_s)
        self._listeners.add(listener)
        return listener
