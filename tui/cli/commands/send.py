"""`swarm-tui send` and `swarm-tui interrupt`: messages to an agent at work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.options import (
    RunParam,
    TextParam,
    everywhere,
    examples,
    is_live,
    json_option,
    read_stdin,
)

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort


@click.command(
    epilog=examples(
        "send @last 'Use the new API'",
        "send 0f3 --after-turn 'Then update the docs'",
        "send 0f3 -",
        "send 0f3 --list",
        "send 0f3 --withdraw message:5d2c",
    )
)
@click.argument("run", metavar="RUN", type=RunParam())
@click.argument("message", metavar="[MESSAGE]", required=False, type=TextParam())
@click.option("--after-turn", is_flag=True, help="Send it when the agent's turn has ended.")
@click.option("--list", "lists", is_flag=True, help="List the messages that it has not read.")
@click.option(
    "--withdraw",
    type=TextParam(),
    metavar="ID",
    help="Withdraw a message that it has not read; a unique beginning of the id is enough.",
)
@json_option("Print the run object, or with --list the messages.")
@everywhere()
def send(
    run: str,
    message: str | None,
    after_turn: bool,
    lists: bool,
    withdraw: str | None,
    as_json: bool,
) -> int:
    """Send MESSAGE to the agent of an interactive run; it reads it in its present turn.

    A run that has ended starts another attempt with it. `-` reads the message from stdin.
    """
    from tui.cli.support import session

    if [message is not None, lists, withdraw is not None].count(True) != 1:
        raise click.UsageError("Add a MESSAGE, or - to read it from stdin; --list or --withdraw.")
    if lists:
        return session.start(_list(run, as_json=as_json))
    if withdraw is not None:
        return session.start(_withdraw(run, withdraw, as_json=as_json))
    text = read_stdin() if message == "-" else message or ""
    return session.start(_send(run, text, after_turn=after_turn, as_json=as_json))


@click.command(epilog=examples("interrupt @last", "interrupt 0f3 'Stop: that is the wrong file'"))
@click.argument("run", metavar="RUN", type=RunParam(is_live))
@click.argument("message", metavar="[MESSAGE]", required=False, type=TextParam())
@json_option("Print the run object.")
@everywhere()
def interrupt(run: str, message: str | None, as_json: bool) -> int:
    """End the turn of an interactive run and the command that it runs; its thread stays.

    With MESSAGE the agent goes on at once; without one the run ends, and `send` or `resume` goes on
    in its thread. `-` reads the message from stdin.
    """
    from tui.cli.support import session

    text = read_stdin() if message == "-" else message or ""
    return session.start(_interrupt(run, text, as_json=as_json))


async def _send(name: str, text: str, *, after_turn: bool, as_json: bool) -> int:
    from engine.domain.interaction import DeliveryTime
    from tui.cli.support import session

    delivery = DeliveryTime.AFTER_TURN if after_turn else DeliveryTime.NOW
    async with session.open_engine() as engine:
        before = await engine.find(name)
        run = await engine.send(before.id, text, delivery)
        session.go_on(engine.paths)  # a supervisor has to hand it on
    if run.attempt > before.attempt:
        return _print(
            engine, run, f"had ended: attempt {run.attempt} begins with the message", as_json
        )
    return _print(engine, run, "message queued", as_json)


async def _list(name: str, *, as_json: bool) -> int:
    from engine.domain.run_json import message_json
    from tui.cli.support import session
    from tui.formatting.interaction import message_line

    async with session.open_engine() as engine:
        run = await engine.find(name)
    if as_json:
        output.say_json([message_json(one) for one in run.messages])
    else:
        output.say("\n".join(map(message_line, run.messages)) or "no message waits")
    return 0


async def _withdraw(name: str, message: str, *, as_json: bool) -> int:
    from tui.cli.support import session
    from tui.cli.support.run_actions import message_id

    async with session.open_engine() as engine:
        before = await engine.find(name)
        full = message_id(before, message)
        run = await engine.withdraw(before.id, full)
        session.go_on(engine.paths)
    is_gone = all(one.message != full for one in run.messages)
    words = "message withdrawn" if is_gone else "withdrawal requested: `send --list` shows the rest"
    return _print(engine, run, words, as_json)


async def _interrupt(name: str, text: str, *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        run = await engine.interrupt(name, text)
        session.go_on(engine.paths)
    return _print(engine, run, "interrupt requested", as_json)


def _print(engine: EnginePort, run: Run, words: str, as_json: bool) -> int:
    from engine.domain.run_json import run_json

    if as_json:
        output.say_json(run_json(run, time.time(), cost=engine.costs.of_run))
    else:
        output.say(f"{run.id} {words}")
    return 0
