"""Operations on receivers of notifications: list, test, deliveries, send again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta, field

from engine.domain.errors import user_error
from engine.domain.messages import DeliveryState
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.scopes import ADMIN, READ
from tui.cli.json import AgainJson, DeliveryJson, ReceiverJson, TestedJson
from tui.cli.json.base import Shape
from tui.cli.support.receivers import (
    delivery_json,
    find_deliveries,
    receiver_json,
    send_again,
)

MOST = 10_000


class RedeliveryRequest(Shape):
    """The parked messages to send again: those of receivers, some by their ids, or all."""

    names: Annotated[
        list[str], Meta(max_length=1000, description="receivers, or ids of messages")
    ] = field(default_factory=list[str])
    all: Annotated[bool, Meta(description="all parked messages")] = False


@get(
    "/webhooks",
    opt=READ,
    operation_id="list_webhooks",
    summary="List receivers of notifications",
    tags=["home"],
)
async def list_webhooks(context: Context) -> list[ReceiverJson]:
    """Return the receivers in the settings, without the secret parts of their addresses."""
    found = await context.engine.notifications.receivers()
    return as_shape(list[ReceiverJson], [receiver_json(one) for one in found])


@post(
    "/webhooks/{receiver:str}/test",
    opt=ADMIN,
    operation_id="test_webhook",
    summary="Send a test message to a receiver",
    tags=["home"],
    status_code=200,
)
async def test_webhook(
    receiver: Annotated[str, PathParameter(description="name of a receiver")], context: Context
) -> TestedJson:
    """Send a message that is about nothing; a receiver that does not accept it is a problem."""
    answer = await context.engine.notifications.test(receiver)
    return as_shape(TestedJson, {"receiver": receiver, "answer": asdict(answer)})


@get(
    "/webhooks/deliveries",
    opt=READ,
    operation_id="list_deliveries",
    summary="List deliveries of notifications",
    tags=["home"],
)
async def list_deliveries(
    context: Context,
    receiver: Annotated[
        list[str] | None,
        QueryParameter(max_items=100, description="only those to it; repeatable"),
    ] = None,
    with_state: Annotated[
        DeliveryState | None, QueryParameter(name="state", description="only in this state")
    ] = None,
    limit: Annotated[
        int, QueryParameter(ge=1, le=MOST, description="deliveries at most, of each receiver")
    ] = 50,
) -> list[DeliveryJson]:
    """Return the deliveries of messages, the newest first."""
    found = await find_deliveries(context.engine, receiver or [], with_state, limit)
    return as_shape(list[DeliveryJson], [delivery_json(one) for one in found])


@post(
    "/webhooks/retry",
    opt=ADMIN,
    operation_id="retry_deliveries",
    summary="Send parked messages again",
    tags=["home"],
    status_code=200,
)
async def retry_deliveries(data: JSONBody[RedeliveryRequest], context: Context) -> AgainJson:
    """Send parked messages again, and return how many; without `all`, `names` are needed."""
    if bool(data.names) == data.all:
        raise user_error("INPUT_INVALID", "`names` or `all` is needed, and not both.")
    count = await send_again(context.engine, data.names)
    await context.supervise()
    return as_shape(AgainJson, {"again": count})


HANDLERS = [list_webhooks, test_webhook, list_deliveries, retry_deliveries]
