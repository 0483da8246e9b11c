"""`swarm-tui cancel`: stop runs, in whatever process they are supervised."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from engine.domain.lifecycle import LIVE
from engine.domain.model import Run, Status
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

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


@click.command(
    epilog=examples(
        "cancel @last", "cancel --all --kill", "cancel --batch nightly", "cancel k3f --children"
    )
)
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=RunParam(is_live))
@click.option("--all", "everything", is_flag=True, help="Stop all runs that have not ended.")
@batch_option
@click.option("--kill", is_flag=True, help="Send SIGKILL at once, without SIGTERM first.")
@click.option(
    "--children/--no-children",
    default=None,
    help="Stop also the runs that they started, or leave these; without, a terminal is asked.",
)
@json_option("Print the run objects.")
@everywhere()
def cancel(
    runs: tuple[str, ...],
    everything: bool,
    batch: str | None,
    kill: bool,
    children: bool | None,
    as_json: bool,
) -> int:
    """Stop runs: SIGTERM, then SIGKILL after the grace time; their workspaces stay."""
    from tui.cli.support import session

    if not (runs or everything or batch):
        runs = chosen_runs(is_live)
    if [bool(runs), everything, batch is not None].count(True) != 1:
        raise click.UsageError("Name the runs to cancel, or use --all or --batch.")
    return session.start(_cancel(runs, batch, kill=kill, children=children, as_json=as_json))


async def _cancel(
    names: tuple[str, ...], batch: str | None, *, kill: bool, children: bool | None, as_json: bool
) -> int:
    from engine.domain.run_json import run_json
    from tui.cli.support import session
    from tui.cli.support.run_actions import to_cancel

    async with session.open_engine() as engine:
        wanted, below = await to_cancel(engine, names, batch, kill=kill, children=bool(children))
        with_children = bool(below) and _may_cancel(below, children, may_ask=not as_json)
        cancelled, stopped = await cancel_runs(engine, wanted, kill=kill, children=with_children)
    if as_json:
        output.say_json([run_json(run, time.time(), cost=engine.costs.of_run) for run in cancelled])
    else:
        output.say("\n".join(f"{run.id} {run.status}" for run in cancelled) or "nothing to cancel")
    return told_stopped(stopped)


async def cancel_runs(
    engine: EnginePort, runs: Sequence[Run], *, kill: bool, children: bool = False
) -> tuple[list[Run], str]:
    """Cancel runs, those that wait first; return those that were, and the words of a stop."""
    from engine.domain.activity import Steps
    from tui.cli.support import session
    from tui.cli.support.work_line import work_line

    order = sorted(runs, key=lambda run: run.status is not Status.QUEUED)
    with work_line() as line:
        line.begin("cancelling", len(order))
        done = await engine.cancel_all(
            [run.id for run in order],
            kill=kill,
            children=children,
            work=Steps(line.tell, lambda: line.is_stopped),
        )
        stopped = line.is_stopped and len(done) < len(order)
    if any(run.status in LIVE for run in done):
        session.go_on(engine.paths)  # a supervisor has to end them
    left = len(order) - len(done)
    return done, f"Stopped: {len(done)} cancelled, {left} left as they were." if stopped else ""


def told_stopped(words: str) -> int:
    """Print what was done before a stop, and return the exit code."""
    from tui.cli.support.failure import EXIT_CANCELLED

    if words:
        output.say_aside(words)
    return EXIT_CANCELLED if words else 0


def _may_cancel(below: Sequence[Run], children: bool | None, *, may_ask: bool) -> bool:
    """Return whether to cancel children, too; ask on a terminal, print a hint elsewhere."""
    from tui.formatting.families import children_go_on

    if children is not None:
        return children
    if may_ask and sys.stdin.isatty() and output.is_terminal(sys.stderr):
        count = f"{len(below)} run{'' if len(below) == 1 else 's'}"
        return click.confirm(f"Cancel also {count} below, started by runs?", err=True)
    output.say_aside(f"{children_go_on(below)} Use --children to cancel these, too.")
    return False
