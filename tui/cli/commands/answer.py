"""`swarm-tui answer`: answers to the questions and forms of agents."""

from __future__ import annotations

import time

import click

from tui.cli.support import output
from tui.cli.support.options import TextParam, everywhere, examples, json_option, read_stdin


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
    from engine.domain.run_json import request_id, run_json
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
    if as_json:
        output.say_json([run_json(run, time.time(), cost=engine.costs.of_run)])
    else:
        output.say(f"{request_id(*found)} answered")
    return 0
