"""Operations on messages to agents: list, send, withdraw, interrupt."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, post
from litestar.params import JSONBody, PathParameter

from engine.domain.interaction import DeliveryTime
from engine.domain.run_json import message_json
from tui.cli.api.answers import as_shape, changed
from tui.cli.api.bodies import InterruptRequest, SendRequest
from tui.cli.api.context import Context
from tui.cli.api.parameters import RunId
from tui.cli.api.scopes import READ, RUN
from tui.cli.json import RunJson
from tui.cli.json.runs import MessageJson
from tui.cli.support.run_actions import message_id

MessageId = Annotated[
    str, PathParameter(description="id of a message, or a unique beginning of it")
]


@get(
    "/runs/{run:str}/messages",
    opt=READ,
    operation_id="list_messages",
    summary="List messages to an agent",
    tags=["runs"],
)
async def list_messages(run: RunId, context: Context) -> list[MessageJson]:
    """Return the messages that the agent of a run has not read."""
    found = await context.engine.find(run)
    return as_shape(list[MessageJson], [message_json(one) for one in found.messages])


@post(
    "/runs/{run:str}/messages",
    opt=RUN,
    operation_id="send_message",
    summary="Send a message to an agent",
    tags=["runs"],
    status_code=200,
)
async def send_message(run: RunId, data: JSONBody[SendRequest], context: Context) -> RunJson:
    """Send a message to the agent of an interactive run; it reads it in its present turn.

    A run that has ended starts another attempt with it.
    """
    engine = context.engine
    delivery = DeliveryTime.AFTER_TURN if data.after_turn else DeliveryTime.NOW
    found = await engine.send((await engine.find(run)).id, data.text, delivery)
    await context.supervise([found])  # a supervisor has to hand it on
    return (await changed(engine, [found]))[0]


@delete(
    "/runs/{run:str}/messages/{message:str}",
    opt=RUN,
    operation_id="withdraw_message",
    summary="Withdraw a message to an agent",
    tags=["runs"],
    status_code=200,
)
async def withdraw_message(run: RunId, message: MessageId, context: Context) -> RunJson:
    """Withdraw a message that the agent has not read."""
    engine = context.engine
    before = await engine.find(run)
    found = await engine.withdraw(before.id, message_id(before, message))
    await context.supervise([found])
    return (await changed(engine, [found]))[0]


@post(
    "/runs/{run:str}/interrupt",
    opt=RUN,
    operation_id="interrupt_run",
    summary="End the turn of an agent",
    tags=["runs"],
    status_code=200,
)
async def interrupt_run(
    run: RunId, context: Context, data: JSONBody[InterruptRequest | None] = None
) -> RunJson:
    """End the turn of an interactive run and the command that it runs; its thread stays.

    With a message the agent goes on at once. Without one the run ends; `resume` continues it.
    """
    engine = context.engine
    found = await engine.interrupt((await engine.find(run)).id, data.message if data else "")
    await context.supervise([found])
    return (await changed(engine, [found]))[0]


HANDLERS = [list_messages, send_message, withdraw_message, interrupt_run]
