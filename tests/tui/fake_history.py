"""A log's history over a function that gives a run's events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.domain.events import Body, Event
from engine.domain.kinds import USUAL, EventKind


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


class ListHistory:
    """Has the same door over a list of events, which may grow."""

    def __init__(self, run: str | None, kind: EventKind, events: list[Event]) -> None:
        self.run, self.kind = run, kind
        self._told = events

    @property
    def _events(self) -> list[tuple[int, Event]]:
        return [one for one in enumerate(self._told, 1) if _is_of(self.kind, one[1].body)]

    async def page(
        self, *, after: int = 0, before: int | None = None, limit: int
    ) -> list[tuple[int, Event]]:
        if before is None:
            return [one for one in self._events if one[0] > after][:limit]
        return [one for one in self._events if one[0] < before][-limit:]

    async def matching(self, text: str, *, above: int, upto: int) -> list[int]:
        told = ((number, repr(event.body).casefold()) for number, event in self._events)
        return [number for number, said in told if above < number <= upto and text in said]

    async def last(self) -> int:
        return self._events[-1][0] if self._events else 0

    async def times(self, limit: int) -> list[float]:
        return [event.at for _, event in self._events[-limit:]]


def _is_of(kind: EventKind, body: Body) -> bool:
    return not kind.sorts or any(
        sort.type == body.type and (not sort.field or getattr(body, sort.field) in sort.values)
        for sort in kind.sorts
    )
