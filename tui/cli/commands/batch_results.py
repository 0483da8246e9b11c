"""`swarm-tui batch ls | show | compare | report`: what came of batches."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.domain.batch_json import FORMATS, batch_json, export, results_json
from tui.cli.support import output
from tui.cli.support.options import (
    BatchParam,
    ChoiceParam,
    FileParam,
    everywhere,
    examples,
    json_option,
)

if TYPE_CHECKING:
    pass


@click.command(epilog=examples("batch ls", "batch ls --json"))
@json_option("Print the batch objects as one JSON array.")
@everywhere()
def ls(as_json: bool) -> int:
    """List the batches, newest first."""
    from tui.cli.support import session

    return session.start(_ls(as_json=as_json))


async def _ls(*, as_json: bool) -> int:
    from tui.cli.support import session
    from tui.cli.support.colours import COLOURS
    from tui.formatting import batches

    async with session.open_engine() as engine:
        known = await engine.swarms.all()
        found = [(each, await engine.swarms.standing(each.id, engine.slots)) for each in known]
    if as_json:
        output.say_json([batch_json(swarm, so_far) for swarm, so_far in found])
        return 0
    width = max((len(swarm.id) for swarm in known), default=0)
    lines = [
        [(f"{swarm.id:<{width}}  ", "plain"), *batches.standing(swarm, so_far, 12)]
        for swarm, so_far in found
    ]
    output.say_styled([(text, COLOURS.get(tone)) for text, tone in line] for line in lines)
    if not found:
        output.say_aside(
            "There are no batches yet: `swarm-tui batch --help` shows how to start one."
        )
    return 0


@click.command(epilog=examples("batch show @last", "batch show nightly --json"))
@click.argument("name", metavar="BATCH", type=BatchParam(), default="@last")
@json_option("Print the batch object with its tasks and their runs.")
@everywhere()
def show(name: str, as_json: bool) -> int:
    """Show the progress and the runs of a batch, the best of each task first.

    Order: succeeded runs (check included), runs with changes, smaller changes, fewer tokens.
    """
    from tui.cli.support import session

    return session.start(_show(name, as_json=as_json))


async def _show(name: str, *, as_json: bool) -> int:
    from tui.cli.support import session
    from tui.cli.support.batch_follow import tell_results

    async with session.open_engine() as engine:
        swarm = await engine.swarms.find(name)
        runs = await engine.swarms.runs(swarm.id)
        so_far = await engine.swarms.standing(swarm.id, engine.slots)
    if as_json:
        output.say_json(results_json(swarm, so_far, runs, time.time(), engine.costs.of_run))
    else:
        tell_results(engine, swarm, runs)
    return 0


@click.command(
    epilog=examples("batch report @last -o results.md", "batch report @last --format csv")
)
@click.argument("name", metavar="BATCH", type=BatchParam(), default="@last")
@click.option(
    "--format",
    "kind",
    type=ChoiceParam(FORMATS),
    help="Write md, csv or json.  [default: by FILE's ending, else md]",
)
@click.option(
    "-o", "--output", "file", type=FileParam(), metavar="FILE", help="Write the report to FILE."
)
@everywhere()
def report(name: str, kind: str | None, file: str | None) -> int:
    """Write the results of a batch: one line for each run, with its parameters."""
    from tui.cli.support import session

    by_name = Path(file or "").suffix.removeprefix(".").lower()
    kind = kind or (by_name if by_name in FORMATS else "md")
    return session.start(_report(name, kind, file))


async def _report(name: str, kind: str, file: str | None) -> int:
    from tui.cli.support import session
    from tui.cli.support.named_paths import absolute

    async with session.open_engine() as engine:
        swarm = await engine.swarms.find(name)
        found = await engine.swarms.runs(swarm.id)
        runs = [await engine.workspaces.check(run) for run in found]
        if file:
            path = await engine.swarms.export(swarm, kind, absolute(file), engine.slots)
            output.say(str(path))
            return 0
        so_far = await engine.swarms.standing(swarm.id, engine.slots)
    text = export(kind, swarm, so_far, runs, time.time(), engine.costs.of_run)
    output.say(text.rstrip("\n"))
    return 0
