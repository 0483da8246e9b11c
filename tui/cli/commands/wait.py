"""`swarm-tui wait`: until runs have ended, for scripts."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from tui.cli.support import failure, output
from tui.cli.support.options import (
    DurationParam,
    RunParam,
    batch_option,
    chosen_runs,
    everywhere,
    examples,
    is_live,
    json_option,
)

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort


@click.command(epilog=examples("wait @last", "wait --all --timeout 2h", "wait k3f p9d --json"))
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=RunParam())
@click.option("--all", "everything", is_flag=True, help="Wait for all runs that have not ended.")
@batch_option
@click.option(
    "--timeout", type=DurationParam(), help="Stop waiting after this time (exit code 124)."
)
@click.option(
    "--needs-input",
    is_flag=True,
    help="Return also when an agent asks for something (exit code 75).",
)
@json_option("Print the run objects at the end as one JSON array.")
@everywhere()
def wait(
    runs: tuple[str, ...],
    everything: bool,
    batch: str | None,
    timeout: float | None,
    needs_input: bool,
    as_json: bool,
) -> int:
    """Wait until runs have ended; the exit code is their result.

    0: all succeeded, 1: one failed, 75: one needs input, 124: timed out, 130: cancelled, or Ctrl-C.
    """
    from tui.cli.support import session

    if not (runs or everything or batch):
        runs = chosen_runs(is_live)
    if [bool(runs), everything, batch is not None].count(True) != 1:
        raise click.UsageError("Name the runs to wait for, or use --all or --batch.")
    return session.start(
        session.unless_stopped(
            _wait(runs, batch, timeout, needs_input=needs_input, as_json=as_json)
        )
    )


async def _wait(
    names: tuple[str, ...],
    batch: str | None,
    limit_s: float | None,
    *,
    needs_input: bool,
    as_json: bool,
) -> int:
    import asyncio

    from tui.cli.support import session
    from tui.cli.support.attendant import attended
    from tui.cli.support.follow import exit_code

    in_time = True
    async with session.open_engine(follow=True) as engine:
        live = [engine.view.runs[run_id] for run_id in sorted(engine.view.live)]
        if batch:
            found = await session.of_batch(engine, batch)
        else:
            found = await session.find_all(engine, names) or live
        runs = {run.id: run for run in found}
        try:
            async with asyncio.timeout(limit_s):
                await attended(engine, _ended(engine, runs, needs_input=needs_input, quiet=as_json))
        except TimeoutError:
            in_time = False
    if as_json:
        _tell_json(engine, runs.values())
    if not in_time:
        _tell_open(runs.values())
        return failure.EXIT_TIMED_OUT
    if any(run.unanswered for run in runs.values()):
        _print_needs(runs.values())
        return failure.EXIT_NEEDS_INPUT
    return exit_code(runs.values())


async def _ended(
    engine: EnginePort, runs: dict[str, Run], *, needs_input: bool, quiet: bool
) -> None:
    """Wait until all of these have ended, and print the end of each.

    With `needs_input`, return also when one of them asks for something.
    """
    from engine.domain.lifecycle import LIVE
    from tui.cli.support.fault_news import FaultNews
    from tui.cli.support.summaries import headline

    batches, faults = engine.batches(), FaultNews(engine)
    left = set(runs)
    while True:
        for line in faults.lines():
            output.say_aside(line)
        for run_id in sorted(left):
            run = runs[run_id] = engine.view.runs.get(run_id, runs[run_id])
            is_forgotten = run_id in engine.view.forgotten
            if run.status in LIVE and not is_forgotten:
                continue
            left.discard(run_id)
            if not quiet:
                output.say(f"{run_id} was forgotten" if is_forgotten else headline(run))
        if not left or (needs_input and any(runs[run_id].unanswered for run_id in left)):
            return
        engine.check_works()
        await anext(batches)


def _tell_json(engine: EnginePort, runs: Iterable[Run]) -> None:
    from tui.cli.support import waiting

    now = time.time()
    waits = waiting.of_view(engine.view, engine, now)
    output.say_json([waiting.told_json(run, now, waits, engine.costs.of_run) for run in runs])


def _tell_open(runs: Iterable[Run]) -> None:
    from engine.domain.lifecycle import LIVE

    for run in runs:
        if run.status in LIVE:
            output.say_aside(f"{run.id} is still {run.status}")


def _print_needs(runs: Iterable[Run]) -> None:
    from engine.domain.activity import activity

    for run in runs:
        if run.unanswered:
            output.say_aside(f"{run.id} {activity(run, time.time())}")
