"""`swarm-tui watch`: follow runs that this or any other process supervises."""

from __future__ import annotations

import click

from tui.cli.support.options import (
    NumberParam,
    RunParam,
    batch_option,
    chosen_runs,
    everywhere,
    examples,
    full_option,
    json_option,
)


@click.command(
    epilog=examples(
        "watch @last", "watch k3f p9d", "watch @last --since 40 --json", "watch --batch nightly"
    )
)
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=RunParam())
@batch_option
@click.option(
    "--since", type=NumberParam(min=0), default=0, metavar="SEQ", help="Show only events after SEQ."
)
@full_option
@json_option("Print one event object a line, and nothing else.")
@everywhere()
def watch(runs: tuple[str, ...], batch: str | None, since: int, full: bool, as_json: bool) -> int:
    """Follow runs until all have ended; Ctrl-C leaves them running."""
    from tui.cli.support import session

    runs = runs or (chosen_runs() if batch is None else ())
    if bool(runs) == (batch is not None):
        raise click.UsageError("Name the runs to watch, or use --batch.")
    work = _watch(runs, batch, since, full=full, as_json=as_json)
    return session.start(session.unless_stopped(work))


async def _watch(
    names: tuple[str, ...], batch: str | None, since: int, *, full: bool, as_json: bool
) -> int:
    from tui.cli.support import batch_follow, output_modes, session
    from tui.cli.support.attendant import attended
    from tui.cli.support.follow import RunFollower, exit_code, follow

    async with session.open_engine(follow=True) as engine:
        swarm = await engine.swarms.find(batch) if batch else None
        found = engine.swarms.runs(swarm.id) if swarm else session.find_all(engine, names)
        follower = RunFollower(engine, await found, since)
        display = (
            batch_follow.choose(engine, swarm, follower, as_json=as_json, full=full)
            if swarm
            else output_modes.choose(follower, as_json=as_json, full=full)
        )
        await attended(engine, follow(follower, display))
    return exit_code(follower.runs.values())
