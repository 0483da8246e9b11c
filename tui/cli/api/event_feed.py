"""The newest events of all runs, read and encoded once for all streams."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from engine.domain.errors import user_error
from engine.domain.events import Event, RunForgotten, event_json
from engine.domain.fault import fault_words
from tui.cli.api.encoding import to_json
from tui.cli.api.event_sources import RunLabels

if TYPE_CHECKING:
    from engine.execution.bus import EventBatch
    from engine.execution.task_tree import SupervisedTask
    from engine.ports.engine import EnginePort

TASK = "feed"
READ_S = 0.05
"""Seconds between two reads, at least."""
PAGE = 200
KEPT_EVENTS = 5000
KEPT_BYTES = 8 << 20
PIECE_BYTES = 64 << 10
"""Bytes of events that a stream gets at a time."""


class FeedItem:
    """An event with its number among those of all runs; None: it is not stored."""

    def __init__(self, number: int | None, event: Event) -> None:
        self.number, self.event = number, event

    @cached_property
    def data(self) -> bytes:
        """The event as a line of JSON, encoded once."""
        return to_json(event_json(self.event))


class SharedEventFeed:
    """The newest events in their order, each at a position that counts from the first read.

    One task reads the store whenever the engine announces something; streams only wait. A stream
    that falls behind what is kept here reads the store by itself.
    """

    def __init__(self, engine: EnginePort, stopping: asyncio.Event) -> None:
        self.end = 0
        """The position of the next event."""
        self.stopping = stopping
        self.labels = RunLabels(engine)
        self._engine = engine
        self._history = engine.history(None)
        self._items = deque[FeedItem]()
        self._size_bytes = 0
        self._last = 0
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._task: SupervisedTask | None = None

    def __len__(self) -> int:
        """Return the number of events that are kept."""
        return len(self._items)

    async def open(self) -> None:
        """Begin to read with the next event; once is enough."""
        async with self._turn:
            if self._task is None:
                self._last = await self._history.last()
                self._task = self._engine.tasks.start("feed", self.run)

    def check_works(self) -> None:
        """Raise `UserError` if new events do not arrive here."""
        self._engine.check_works()
        for fault in self._engine.tasks.faults.current:
            if fault.task == TASK:
                raise user_error("INTERNAL", fault_words(fault))

    def since(self, position: int) -> list[FeedItem] | None:
        """Return the next events from a position on; None: the first of them is not kept any more.

        The rest of them follows with the next call where they are many.
        """
        behind = self.end - position
        if behind > len(self._items):
            return None
        # From the end: a stream is seldom far behind, and a deque is slow to reach its middle.
        newest = list(islice(reversed(self._items), behind))
        found: list[FeedItem] = []
        size_bytes = 0
        for item in reversed(newest):
            found.append(item)
            size_bytes += len(item.data)
            if size_bytes >= PIECE_BYTES:
                break
        return found

    async def wait(self, position: int, timeout_s: float) -> bool:
        """Wait until the engine announces something, unless there is an event at a position.

        Return whether it did within `timeout_s`; the end of the server counts, too.
        """
        news = self._news
        if self.end > position or self.stopping.is_set():
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await news.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Read what is new until the server stops."""
        batches = self._engine.batches(READ_S)
        stop = asyncio.ensure_future(self.stopping.wait())
        coming = asyncio.ensure_future(anext(batches))
        ends: list[Event] = []
        try:
            while not stop.done():
                await self._read()
                self._add(FeedItem(None, event) for event in ends)
                self._wake()  # also without news: a run that ended is known as such from now on
                await asyncio.wait((coming, stop), return_when=asyncio.FIRST_COMPLETED)
                if coming.done():
                    ends = forgotten_in(coming.result())
                    coming = asyncio.ensure_future(anext(batches))
        finally:
            stop.cancel()
            coming.cancel()
            self._wake()

    async def _read(self) -> None:
        while True:
            page = await self._history.page(after=self._last, limit=PAGE)
            if page:
                await self.labels.learn(event for _, event in page)
                self._last = page[-1][0]
                self._add(FeedItem(number, event) for number, event in page)
            if len(page) < PAGE:
                return

    def _add(self, items: Iterable[FeedItem]) -> None:
        for item in items:
            self._items.append(item)
            self._size_bytes += len(item.data)
            self.end += 1
        while len(self._items) > KEPT_EVENTS or self._size_bytes > KEPT_BYTES:
            self._size_bytes -= len(self._items.popleft().data)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def forgotten_in(batch: EventBatch) -> list[Event]:
    """Return the ends of forgotten runs: they are published, but not stored."""
    return [event for event in batch.events if isinstance(event.body, RunForgotten)]
