"""Operations on the queue: show, pause, resume, and the number of slots."""

from __future__ import annotations

import time
from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody
from msgspec import Meta

from engine.domain.errors import user_error
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.scopes import READ, RUN
from tui.cli.json import QueueJson
from tui.cli.json.base import Shape
from tui.cli.support import waiting
from tui.models import parsing

MAX_SLOTS = 1000


class PauseRequest(Shape):
    """A pause of the queue."""

    reason: Annotated[
        str, Meta(description="shown to others; its first line counts", examples=["a release"])
    ] = ""
    until: Annotated[
        str | None,
        Meta(
            description="when the queue resumes: `22:00`, `2031-05-04T18:30` or `+30m`; "
            "null: when it is resumed",
            examples=["+30m"],
        ),
    ] = None


class SlotsRequest(Shape):
    """The number of runs that may be active at a time."""

    slots: Annotated[int, Meta(ge=1, le=MAX_SLOTS, examples=[4])]


@get("/queue", opt=READ, operation_id="show_queue", summary="Show the queue", tags=["queue"])
async def show_queue(context: Context) -> QueueJson:
    """Return the state of the queue: pause, held accounts, slots, active and queued runs."""
    return as_shape(QueueJson, await waiting.queue_json(context.engine))


@post(
    "/queue/pause",
    opt=RUN,
    operation_id="pause_queue",
    summary="Pause the queue",
    tags=["queue"],
    status_code=200,
)
async def pause_queue(context: Context, data: JSONBody[PauseRequest | None] = None) -> QueueJson:
    """Start no further run until the queue is resumed; active runs continue."""
    asked = data or PauseRequest()
    pause = waiting.pause_of_user(asked.reason, _moment(asked.until))
    await context.engine.set_pause(pause)
    return await show(context)


@post(
    "/queue/unpause",
    opt=RUN,
    operation_id="unpause_queue",
    summary="Resume the queue",
    tags=["queue"],
    status_code=200,
)
async def unpause_queue(context: Context) -> QueueJson:
    """Start queued runs, also after a limit or a failed login."""
    await context.engine.set_pause(None)
    if await context.engine.is_needed():
        await context.supervise()
    return await show(context)


@post(
    "/queue/slots",
    opt=RUN,
    operation_id="set_slots",
    summary="Set the number of slots",
    tags=["queue"],
    status_code=200,
)
async def set_slots(context: Context, data: JSONBody[SlotsRequest]) -> QueueJson:
    """Set the number of runs that may be active at a time; active runs continue."""
    await context.engine.set_slots(data.slots)
    return await show(context)


async def show(context: Context) -> QueueJson:
    """Return the queue after it was changed."""
    return as_shape(QueueJson, await waiting.queue_json(context.engine))


def _moment(text: str | None) -> float | None:
    try:
        return parsing.moment(text, time.time()) if text else None
    except ValueError as error:
        raise user_error("INPUT_INVALID", f"`until`: {error}.") from None


HANDLERS = [show_queue, pause_queue, unpause_queue, set_slots]
