"""`swarm-tui approve` and `swarm-tui deny`: answers to the requests of agents."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.options import TextParam, everywhere, examples, json_option, read_stdin

if TYPE_CHECKING:
    from engine.domain.interaction import Decision


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


async def _answer(
    names: tuple[str, ...], decision: Decision, text: str = "", *, as_json: bool
) -> int:
    from engine.domain.run_json import request_id, run_json
    from tui.cli.support import open_requests, session

    async with session.open_engine() as engine:
        # All are found before the first is answered.
        found = [await open_requests.find_one(engine, name) for name in names]
        runs = [
            await engine.answer(one[0].id, open_requests.answer_to(one, decision, text))
            for one in found
        ]
        session.go_on(engine.paths)  # a supervisor has to hand it on
    if as_json:
        output.say_json([run_json(run, time.time()) for run in runs])
    else:
        words = {"approve": "approved", "deny": "denied"}.get(decision.value, "stopped")
        output.say("\n".join(f"{request_id(*one)} {words}" for one in found))
    return 0
