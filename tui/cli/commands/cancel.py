"""`swarm-tui cancel`: stop runs, in whatever process they are supervised."""

from __future__ import annotations

import time

import click

from tui.cli.support import output
from tui.cli.support.options import (
    RunParam,
    batch_option,
    chosen_runs,
    everywhere,
    examples,
    is_live,
    json_option,
)


@click.command(epilog=examples("cancel @last", "cancel --all --kill", "cancel --batch nightly"))
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=RunParam(is_live))
@click.option("--all", "everything", is_flag=True, help="Stop all runs that have not ended.")
@batch_option
@click.option("--kill", is_flag=True, help="Send SIGKILL at once, without SIGTERM first.")
@json_option("Print the run objects.")
@everywhere()
def cancel(
    runs: tuple[str, ...], everything: bool, batch: str | None, kill: bool, as_json: bool
) -> int:
    """Stop runs: SIGTERM, then SIGKILL after the grace time; their workspaces stay."""
    from tui.cli.support import session

    if not (runs or everything or batch):
        runs = chosen_runs(is_live)
    if [bool(runs), everything, batch is not None].count(True) != 1:
        raise click.UsageError("Name the runs to cancel, or use --all or --batch.")
    return session.start(_cancel(runs, batch, kill=kill, as_json=as_json))


async def _cancel(names: tuple[str, ...], batch: str | None, *, kill: bool, as_json: bool) -> int:
    from engine.domain import requests
    from engine.domain.lifecycle import LIVE
    from engine.domain.run_json import run_json
    from tui.cli.support import session

    async with session.open_engine() as engine:
        found = await session.find_all(engine, names)
        for run in found:
            requests.check_cancellable(run)
        if batch:
            batch = (await engine.swarms.find(batch)).id
        wanted = found or await engine.runs(statuses=LIVE, batch=batch)
        cancelled = await engine.cancel_all([run.id for run in wanted], kill=kill)
        if any(run.status in LIVE for run in cancelled):
            session.go_on(engine.paths)  # a supervisor has to end them
    if as_json:
        output.say_json([run_json(run, time.time()) for run in cancelled])
    else:
        output.say("\n".join(f"{run.id} {run.status}" for run in cancelled) or "nothing to cancel")
    return 0
