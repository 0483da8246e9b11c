"""`swarm-tui inbox`: the open requests of all agents."""

from __future__ import annotations

import time

import click

from tui.cli.support import output
from tui.cli.support.options import (
    ProjectParam,
    RunParam,
    batch_option,
    everywhere,
    examples,
    is_live,
    json_option,
)


@click.command(epilog=examples("inbox", "inbox @last", "inbox --batch nightly --json"))
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=RunParam(is_live))
@click.option("--project", type=ProjectParam(), help="Only requests of this project's runs.")
@batch_option
@json_option("Print the requests as one JSON array.")
@everywhere()
def inbox(runs: tuple[str, ...], project: str | None, batch: str | None, as_json: bool) -> int:
    """List what agents ask for, oldest first, each request whole.

    Answer with `approve` or `deny`, and the id that begins a request.
    """
    from tui.cli.support import session

    return session.start(_inbox(runs, project, batch, as_json=as_json))


async def _inbox(
    names: tuple[str, ...], project: str | None, batch: str | None, *, as_json: bool
) -> int:
    from engine.domain.run_json import request_json
    from tui.cli.support import open_requests, session

    async with session.open_engine() as engine:
        if batch:
            batch = (await engine.swarms.find(batch)).id
        found = await open_requests.find_open(engine, names, project, batch)
    if as_json:
        now = time.time()
        output.say_json([request_json(run, request, now) for run, request in found])
    else:
        output.say("\n".join(open_requests.described(found)) or "no agent asks for anything")
    return 0
