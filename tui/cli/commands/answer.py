"""`swarm-tui approve` and `swarm-tui deny`: answers to the requests of agents."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.options import TextParam, everywhere, examples, json_option, read_stdin

if TYPE_CHECKING:
    from engine.domain.interaction import Decision
    from engine.domain.model import Run
    from tui.cli.support.open_requests import OpenRequest


@click.command(epilog=examples("approve 01ke3x7m0a:1:0", "approve 01ke3x7m0a:1:0 01ke3x9p7c:1:2"))
@click.argument("requests", metavar="REQUEST...", nargs=-1, required=True, type=TextParam())
@json_option("Print the run objects.")
@everywhere()
def approve(requests: tuple[str, ...], as_json: bool) -> int:
    """Approve what agents ask for, once; `inbox` shows the ids.

    An approved command runs outside the sandbox: it can do what you can.
    """
    from engine.domain.interaction import Decision
    from tui.cli.support import session

    return session.start(_answer(requests, Decision.APPROVE, as_json=as_json))


@click.command(
    epilog=examples(
        "deny 01ke3x7m0a:1:0",
        "deny 01ke3x7m0a:1:0 'Use the tests in tests/unit'",
        "deny 01ke3x7m0a:1:0 -",
    )
)
@click.argument("request", metavar="REQUEST", type=TextParam())
@click.argument("message", metavar="[MESSAGE]", required=False, type=TextParam())
@click.option("--stop", is_flag=True, help="End the agent's turn, too.")
@json_option("Print the run object.")
@everywhere()
def deny(request: str, message: str | None, stop: bool, as_json: bool) -> int:
    """Deny what an agent asks for; it reads MESSAGE together with the denial, and goes on.

    `-` reads the message from stdin.
    """
    from engine.domain.interaction import Decision
    from tui.cli.support import session

    if stop and message is not None:
        raise click.UsageError("Use a MESSAGE or --stop: no turn is left that could read it.")
    text = read_stdin() if message == "-" else message or ""
    decision = Decision.STOP if stop else Decision.DENY
    return session.start(_answer((request,), decision, text, as_json=as_json))


@click.command(
    epilog=examples(
        "answer 01ke3x7m0a:1:0",
        "answer 01ke3x7m0a:1:0 colour=blue size='#2'",
        "answer 01ke3x7m0a:1:0 token=- < token.txt",
    )
)
@click.argument("request", metavar="REQUEST", type=TextParam())
@click.argument("values", metavar="[NAME=VALUE...]", nargs=-1, type=TextParam())
@json_option("Print the run object.")
@everywhere()
def answer(request: str, values: tuple[str, ...], as_json: bool) -> int:
    """Answer the questions of an agent, or fill in a form; `inbox` shows its fields.

    NAME is a field or its number, VALUE a text or #N for its option N; `-` reads it from stdin, as
    a secret value must be. On a terminal without values, each field is asked for.
    """
    from tui.cli.support import session

    return session.start(_answer_fields(request, values, as_json=as_json))


async def _answer_fields(name: str, words: tuple[str, ...], *, as_json: bool) -> int:
    from engine.domain.interaction import Decision
    from tui.cli.support import answer_prompt, answer_values, open_requests, session

    async with session.open_engine() as engine:
        found = await open_requests.find_one(engine, name)
        fields = found[1].fields
        if words or not fields:
            values = answer_values.parse_values(fields, words, read_stdin)
        else:
            values = answer_prompt.ask_values(found)
        answered = open_requests.answer_to(found, Decision.ANSWER, values=values)
        run = await engine.answer(found[0].id, answered)
        session.go_on(engine.paths)
    _print([found], [run], "answered", as_json=as_json)
    return 0


async def _answer(
    names: tuple[str, ...], decision: Decision, text: str = "", *, as_json: bool
) -> int:
    from tui.cli.support import open_requests, session

    async with session.open_engine() as engine:
        # All are found before the first is answered.
        found = [await open_requests.find_one(engine, name) for name in names]
        runs = [
            await engine.answer(one[0].id, open_requests.answer_to(one, decision, text))
            for one in found
        ]
        session.go_on(engine.paths)  # a supervisor has to hand it on
    words = {"approve": "approved", "deny": "denied"}.get(decision.value, "stopped")
    _print(found, runs, words, as_json=as_json)
    return 0


def _print(found: list[OpenRequest], runs: list[Run], word: str, *, as_json: bool) -> None:
    from engine.domain.run_json import request_id, run_json

    if as_json:
        output.say_json([run_json(run, time.time()) for run in runs])
    else:
        output.say("\n".join(f"{request_id(*one)} {word}" for one in found))
