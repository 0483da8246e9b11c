"""Pages of stored events, and the links between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from litestar import Response

from engine.domain.errors import user_error
from engine.domain.events import event_json
from engine.domain.record import record
from tui.cli.api.encoding import JsonResponse
from tui.cli.api.event_sources import kind_of
from tui.cli.json import Event as AnyEvent

if TYPE_CHECKING:
    from engine.domain.events import Event
    from engine.ports.engine import EnginePort

    EventPage = Response[list[dict[str, Any]]]
else:
    EventPage = Response[list[AnyEvent]]

MAX_EVENTS = 1000
MAX_NUMBER = 2**53 - 1
"""The largest number that every reader of JSON has exactly."""


@record
class PageRequest:
    """A request for a page at a path: the first events after a number, or the last before one."""

    path: str
    after: int
    before: int | None
    limit: int
    types: list[str]

    def link(self, **numbers: int) -> str:
        """Return the address of another page of the same events."""
        query = [*numbers.items(), ("limit", self.limit), *(("type", one) for one in self.types)]
        return f"{self.path}?{urlencode(query)}"


async def read_page(engine: EnginePort, run: str | None, request: PageRequest) -> EventPage:
    """Return a page of a run's events, or of all runs' events; raises `UserError`."""
    if request.after and request.before is not None:
        raise user_error(
            "INPUT_INVALID", "`after` and `before` exclude each other.", "Use one of them."
        )
    found = await _read(engine, run, request)
    shown = [event_json(event) for _, event in found]
    numbers = [number for number, _ in found]
    return JsonResponse(shown, headers=_headers(numbers, request))


async def _read(
    engine: EnginePort, run: str | None, request: PageRequest
) -> list[tuple[int, Event]]:
    after, before, limit = request.after, request.before, request.limit
    if run is None:
        history = engine.history(None, kind_of(request.types))
        return await history.page(after=after, before=before, limit=limit)
    found = await engine.events(run, after=after, before=before, limit=limit, kinds=request.types)
    return [(event.seq, event) for event in found]


def _headers(numbers: list[int], request: PageRequest) -> dict[str, str]:
    """Return the headers of a page: the number of its last event, and the next page.

    Where nothing is found, later events come after the number that was asked for.
    """
    headers = {"Last-Event-ID": str(numbers[-1] if numbers else request.after)}
    if len(numbers) == request.limit:
        is_back = request.before is not None
        link = request.link(before=numbers[0]) if is_back else request.link(after=numbers[-1])
        headers["Link"] = f'<{link}>; rel="next"'
    return headers
