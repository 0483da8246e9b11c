"""Operations on events: pages and streams, of one run and of all runs."""

from __future__ import annotations

import re
from typing import Annotated

from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from engine.domain.errors import user_error
from engine.domain.events import BODIES
from engine.domain.text import printable_name
from tui.cli.api.context import Context
from tui.cli.api.event_pages import MAX_EVENTS, MAX_NUMBER, EventPage, PageRequest, read_page
from tui.cli.api.event_sources import HomeEvents, RunEvents
from tui.cli.api.event_streams import MEDIA_TYPE, EventStreamer
from tui.cli.api.parameters import RunId
from tui.cli.api.scopes import READ

After = Annotated[
    int, QueryParameter(ge=0, le=MAX_NUMBER, description="only events after this number")
]
Before = Annotated[
    int | None,
    QueryParameter(ge=0, le=MAX_NUMBER, description="only the last events before this number"),
]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_EVENTS, description="events at most")]
Types = Annotated[
    list[str] | None,
    QueryParameter(name="type", description="only events of this type; repeatable"),
]
Live = Annotated[
    bool, QueryParameter(description="also output of running commands, without a number")
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID", description="id of the last event that arrived; goes before `after`"
    ),
]
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
STREAMS = {
    200: ResponseSpec(
        str,
        generate_examples=False,
        media_type=MEDIA_TYPE,
        description="Server-sent events: `id` is the number, `data` one Event in JSON.",
    )
}


@get(
    "/runs/{run:str}/events",
    opt=READ,
    operation_id="list_run_events",
    summary="List events of a run",
    tags=["events"],
)
async def list_run_events(
    run: RunId,
    context: Context,
    after: After = 0,
    before: Before = None,
    limit: Limit = 100,
    types: Types = None,
) -> EventPage:
    """Return stored events of a run in order; the number of an event is its `seq`.

    The header `Link` has the next page, where there may be one. `Last-Event-ID` is the number
    from which a stream goes on after this page.
    """
    found = await context.engine.find(run)
    request = PageRequest(f"/v1/runs/{found.id}/events", after, before, limit, checked(types))
    return await read_page(context.engine, found.id, request)


@get(
    "/events",
    opt=READ,
    operation_id="list_events",
    summary="List events of all runs",
    tags=["events"],
)
async def list_events(
    context: Context,
    after: After = 0,
    before: Before = None,
    limit: Limit = 100,
    types: Types = None,
) -> EventPage:
    """Return stored events of all runs in the order in which they were stored.

    Their numbers count all events of the home, and are not the `seq` of an event: the headers
    `Link` and `Last-Event-ID` have them.
    """
    request = PageRequest("/v1/events", after, before, limit, checked(types))
    return await read_page(context.engine, None, request)


@get(
    "/runs/{run:str}/events/stream",
    opt=READ,
    operation_id="stream_run_events",
    summary="Stream the events of a run",
    tags=["events"],
    media_type=MEDIA_TYPE,
    responses=STREAMS,
)
async def stream_run_events(
    run: RunId,
    context: Context,
    after: After = 0,
    types: Types = None,
    live: Live = False,
    last_event_id: LastEventId = None,
) -> Stream:
    """Return past events of a run and then new ones, each once and in order.

    `id` is the `seq` of the event. After the run has ended comes `event: end` with the run, and
    the stream is closed. A run that is retried later has further events: connect again with the
    last `id`. `event: problem` has an error; connect again after it, too.
    """
    engine = context.engine
    source = RunEvents(engine, await engine.find(run), checked(types))
    after = begin(after, last_event_id)
    return EventStreamer(engine, context.feed, source, after, is_live=live).response()


@get(
    "/events/stream",
    opt=READ,
    operation_id="stream_events",
    summary="Stream the events of all runs",
    tags=["events"],
    media_type=MEDIA_TYPE,
    responses=STREAMS,
)
async def stream_events(
    context: Context,
    after: After = 0,
    project: Annotated[str | None, QueryParameter(description="only runs of it")] = None,
    batch: Annotated[
        str | None, QueryParameter(description="only runs of it: its id, or the beginning of it")
    ] = None,
    types: Types = None,
    live: Live = False,
    new: Annotated[
        bool, QueryParameter(description="without Last-Event-ID: only events from now on")
    ] = False,
    last_event_id: LastEventId = None,
) -> Stream:
    """Return events of all runs, each once and in order; the stream does not end by itself.

    `id` is the number of the event among those of all runs. It begins with the first event that is
    stored, or with `new` after the last one, whose `id` is sent first. That a run was forgotten
    has no `id`: it is not stored.
    """
    engine = context.engine
    if batch is not None:
        batch = (await engine.swarms.find(batch)).id
    after = begin(after, last_event_id)
    if new and not last_event_id:
        after = await engine.history(None).last()
    source = HomeEvents(
        engine, context.feed.labels, project=project, batch=batch, types=checked(types)
    )
    return EventStreamer(
        engine, context.feed, source, after, is_live=live, shows_begin=new
    ).response()


def begin(after: int, last_event_id: str | None) -> int:
    """Return the number after which a stream begins; raises `UserError` INPUT_INVALID."""
    if not last_event_id:
        return after
    if not _NUMBER.fullmatch(last_event_id):
        raise user_error(
            "INPUT_INVALID",
            "Last-Event-ID is not a number of an event.",
            "Send the id of the last event that arrived, or none.",
        )
    return int(last_event_id)


def checked(types: list[str] | None) -> list[str]:
    """Return types of events; raises `UserError` INPUT_INVALID where there is no such type."""
    if unknown := sorted(set(types or ()) - BODIES.keys()):
        raise user_error(
            "INPUT_INVALID",
            f"There is no type of events named `{printable_name(unknown[0][:60])}`.",
            f"Use one of {', '.join(BODIES)}.",
        )
    return sorted(set(types or ()))


HANDLERS = [list_run_events, list_events, stream_run_events, stream_events]
