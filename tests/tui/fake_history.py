"""A log's history over a function that gives a run's events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.domain.events import Event
from engine.domain.kinds import USUAL


class FakeHistory:
    """Has the door of what `Engine.history` gives; nothing is ever found in it."""

    def __init__(self, fetch: Callable[..., Awaitable[list[Event]]], run: str = "r") -> None:
        self.run: str | None = run
        self.kind = USUAL
        self._fetch = fetch

    async def page(
        self, *, after: int = 0, before: int | None = None, limit: int
    ) -> list[tuple[int, Event]]:
        found = await self._fetch(self.run, after=after, before=before, limit=limit)
        return [(event.seq, event) for event in found]

    async def matching(self, text: str, *, above: int, upto: int) -> list[int]:
        return []

    async def last(self) -> int:
        return 0

    async def times(self, limit: int) -> list[float]:
        return []
