"""`swarm-tui watch`: follow runs that this or any other process supervises."""

from __future__ import annotations

import click

from tui.cli.support.options import (
    NumberParam,
    RunParam,
    batch_option,
    bookkeeping_option,
    chosen_runs,
    everywhere,
    examples,
    full_option,
    json_option,
    live_option,
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
@bookkeeping_option
@live_option
@json_option("Print one event object a line, and nothing else.")
@everywhere()
def watch(
    runs: tuple[str, ...],
    batch: str | None,
    since: int,
    full: bool,
    bookkeeping: bool,
    live: bool,
    as_json: bool,
) -> int:
    """Follow runs until all have ended, without RUN all live ones; Ctrl-C leaves them running."""
    from tui.cli.support import session

    if runs and batch is not None:
        raise click.UsageError("Name the runs to watch, or use --batch.")
    if batch is None:
        runs = runs or session.run(_live_runs()) or chosen_runs()
        if not runs:
            raise click.UsageError("No run is live: name the runs to watch, or use --batch.")
    modes = {"full": full, "has_bookkeeping": bookkeeping, "as_json": as_json}
    return session.start(session.unless_stopped(_watch(runs, batch, since, live=live, **modes)))


async def _live_runs() -> tuple[str, ...]:
    from engine.domain.lifecycle import LIVE
    from tui.cli.support import session

    async with session.open_engine(quiet=True) as engine:
        return tuple(run.id for run in reversed(await engine.runs(statuses=LIVE)))


async def _watch(
    names: tuple[str, ...], batch: str | None, since: int, *, live: bool, **modes: bool
) -> int:
    from tui.cli.support import batch_follow, output_modes, session
    from tui.cli.support.answers_in_place import answers_for
    from tui.cli.support.attendant import attended
    from tui.cli.support.follow import RunFollower, exit_code, follow
    from tui.cli.support.live_reports import READ_S, LiveReports

    async with session.open_engine(follow=True) as engine:
        swarm = await engine.swarms.find(batch) if batch else None
        found = engine.swarms.runs(swarm.id) if swarm else session.find_all(engine, names)
        follower = RunFollower(engine, await found, since, pulse_s=READ_S if live else None)
        reports = LiveReports(engine, follower) if live else None
        display = (
            batch_follow.choose(engine, swarm, follower, **modes)
            if swarm
            else output_modes.choose(follower, **modes)
        )
        answers = answers_for(engine, follower, display)
        await attended(engine, follow(follower, display, reports, answers))
    return exit_code(follower.runs.values())
