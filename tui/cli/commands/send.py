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


@click.command(
    epilog=examples(
        "send @last 'Use the new API'", "send 0f3 --after-turn 'Then update the docs'", "send 0f3 -"
    )
)
@click.argument("run", metavar="RUN", type=RunParam())
@click.argument("message", metavar="MESSAGE", type=TextParam())
@click.option("--after-turn", is_flag=True, help="Send it when the agent's turn has ended.")
@json_option("Print the run object.")
@everywhere()
def send(run: str, message: str, after_turn: bool, as_json: bool) -> int:
    """Send MESSAGE to the agent of an interactive run; it reads it in its present turn.

    A run that has ended goes on with it. `-` reads the message from stdin.
    """
    from tui.cli.support import session

    text = read_stdin() if message == "-" else message
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
        run = await engine.send(name, text, delivery)
        session.go_on(engine.paths)  # a supervisor has to hand it on
    return _print(run, "message queued", as_json=as_json)


async def _interrupt(name: str, text: str, *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        run = await engine.interrupt(name, text)
        session.go_on(engine.paths)
    return _print(run, "interrupt requested", as_json=as_json)


def _print(run: Run, words: str, *, as_json: bool) -> int:
    from engine.domain.run_json import run_json

    if as_json:
        output.say_json(run_json(run, time.time()))
    else:
        output.say(f"{run.id} {words}")
    return 0
