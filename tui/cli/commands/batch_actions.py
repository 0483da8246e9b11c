"""`swarm-tui batch cancel | retry | apply | drop`: what can be done with a batch as one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tui.cli.commands.apply import HOW
from tui.cli.support import output
from tui.cli.support.options import (
    BatchParam,
    BudgetParam,
    ChoiceParam,
    FolderParam,
    RunParam,
    TextParam,
    everywhere,
    examples,
    full_option,
    json_option,
)
from tui.cli.support.run_options import machine_option, mode_change, mode_options

if TYPE_CHECKING:
    from engine.domain.batch import Batch
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort


@click.command(epilog=examples("batch cancel @last", "batch cancel nightly --kill"))
@click.argument("name", metavar="BATCH", type=BatchParam())
@click.option("--kill", is_flag=True, help="Send SIGKILL at once, without SIGTERM first.")
@json_option("Print the run objects.")
@everywhere()
def cancel(name: str, kill: bool, as_json: bool) -> int:
    """Stop the live and queued runs of a batch; workspaces stay."""
    from tui.cli.support import session

    return session.start(_cancel(name, kill=kill, as_json=as_json))


async def _cancel(name: str, *, kill: bool, as_json: bool) -> int:
    from engine.domain.lifecycle import LIVE
    from engine.domain.run_json import run_json
    from tui.cli.commands.cancel import cancel_runs, told_stopped
    from tui.cli.support import session

    async with session.open_engine() as engine:
        swarm = await engine.swarms.find(name)
        live = [run for run in await engine.swarms.runs(swarm.id) if run.status in LIVE]
        done, stopped = await cancel_runs(engine, live, kill=kill)
    if as_json:
        output.say_json([run_json(run, time.time(), cost=engine.costs.of_run) for run in done])
    else:
        output.say("\n".join(f"{run.id} {run.status}" for run in done) or "nothing to cancel")
    return told_stopped(stopped)


@click.command(epilog=examples("batch retry @last", "batch retry nightly --total-budget 2M"))
@click.argument("name", metavar="BATCH", type=BatchParam())
@click.option("--fresh", is_flag=True, help="Start over in new workspaces and threads.")
@click.option(
    "--total-budget",
    type=BudgetParam(),
    metavar="AMOUNT",
    help="Set a new limit for all runs, in tokens, money or percent as --budget.",
)
@machine_option
@mode_options
@click.option("-d", "--detach", is_flag=True, help="Print the ids and return; the runs continue.")
@full_option
@json_option("Print one event object a line, or with --detach the run objects; nothing else.")
@everywhere()
def retry(name: str, as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Retry the failed runs of a batch and the runs that waited for them."""
    from tui.cli.support import session

    return session.start(_retry(name, asked, as_json=as_json))


async def _retry(name: str, asked: dict[str, Any], *, as_json: bool) -> int:
    from tui.cli.support import foreground, session
    from tui.cli.support.batch_follow import follow_batch

    there = not asked["detach"]
    async with session.open_engine(strict=True, follow=there, supervise=there) as engine:
        swarm = await engine.swarms.find(name)
        if asked["total_budget"]:
            await engine.swarms.set_budget(swarm.id, asked["total_budget"])
            swarm = await engine.swarms.find(swarm.id)
        found = await engine.swarms.to_retry(swarm.id)
        since = {run.id: run.seq for run in found}
        change = mode_change(asked)
        queued = [await engine.retry(run.id, fresh=asked["fresh"], change=change) for run in found]
        if not queued:
            output.say_aside("nothing to retry")
        elif not there:
            await foreground.detach(engine, queued, as_json=as_json)
        else:
            return await follow_batch(
                engine, swarm, queued, since, as_json=as_json, full=asked["full"]
            )
    return 0


@click.command(
    epilog=examples("batch apply @last --check", "batch apply @last", "batch apply @last --drop")
)
@click.argument("name", metavar="BATCH", type=BatchParam())
@click.option(
    "--run",
    "runs",
    type=RunParam(),
    multiple=True,
    metavar="RUN",
    help="Apply this run instead of the best.",
)
@click.option(
    "--as",
    "how",
    type=ChoiceParam(HOW),
    default="edits",
    help="Apply as edits (default), a commit on the run's branch, a merge or a patch.",
)
@click.option(
    "--to", type=FolderParam(), metavar="DIR", help="Apply to this folder instead of the source."
)
@click.option("--message", "-m", type=TextParam(), default="", help="Set the commit message.")
@click.option(
    "--check", is_flag=True, help="Only check whether the changes apply; exit code 1 if not."
)
@click.option("--drop", is_flag=True, help="Afterwards delete the other workspaces (asks).")
@click.option("-y", "--yes", "--force", "yes", is_flag=True, help="Do not ask before deleting.")
@json_option("Print one object for each run.")
@everywhere()
def apply(name: str, as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Apply the best run of each task that succeeded, ranked as in `batch show`."""
    from tui.cli.support import session

    if asked["drop"] and asked["check"]:
        raise click.UsageError("--check changes nothing: it does not go with --drop.")
    return session.start(_apply(name, asked, as_json=as_json))


async def _apply(name: str, asked: dict[str, Any], *, as_json: bool) -> int:
    from tui.cli.commands.apply import apply_all
    from tui.cli.support import session
    from tui.cli.support.batch_state import runs_to_apply

    async with session.open_engine(strict=asked["drop"]) as engine:
        swarm = await engine.swarms.find(name)
        chosen = await runs_to_apply(engine, swarm, asked["runs"])
        fits = await apply_all(engine, chosen, asked, as_json=as_json)
        if fits and asked["drop"]:
            how = {"dry_run": False, "yes": asked["yes"], "as_json": as_json}
            return await _drop(engine, swarm, chosen, **how)
    return 0 if fits else 1


@click.command(epilog=examples("batch drop @last --dry-run", "batch drop @last --force"))
@click.argument("name", metavar="BATCH", type=BatchParam())
@click.option("--dry-run", is_flag=True, help="List the workspaces; delete nothing.")
@click.option("-y", "--yes", "--force", "yes", is_flag=True, help="Delete without asking.")
@json_option("Print what was deleted as one object.")
@everywhere()
def drop(name: str, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Move the workspaces of runs that are not the best of their task to the trash.

    Unsaved work in them goes, too: `cleanup --undo RUN` restores it. The best runs and applied runs
    stay.
    """
    from tui.cli.support import session

    return session.start(_drop_asked(name, dry_run=dry_run, yes=yes, as_json=as_json))


async def _drop_asked(name: str, *, dry_run: bool, yes: bool, as_json: bool) -> int:
    from tui.cli.support import session
    from tui.cli.support.batch_state import winners

    async with session.open_engine(strict=not dry_run) as engine:
        swarm = await engine.swarms.find(name)
        kept = await winners(engine, swarm)
        return await _drop(engine, swarm, kept, dry_run=dry_run, yes=yes, as_json=as_json)


async def _drop(
    engine: EnginePort,
    swarm: Batch,
    kept: Sequence[Run],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Delete the workspaces of all others, after a question; nothing where none was kept."""
    from engine.engine import CleanupReport
    from tui.cli.commands.cancel import told_stopped
    from tui.cli.commands.cleanup import agreed, clean_up, tell_plan
    from tui.cli.support.batch_state import plan_drop
    from tui.cli.support.disk_results import plan_json
    from tui.cli.support.failure import EXIT_CANCELLED
    from tui.cli.support.work_line import work_line

    with work_line() as line:
        line.begin("looking for work that is nowhere else")
        found = await line.unless_stopped(plan_drop(engine, swarm, kept, line.tell))
    if found is None:
        return told_stopped("Stopped: nothing was deleted.")
    plan, wish = found
    if not as_json:
        tell_plan(plan)
    if dry_run or not plan.take:
        if as_json:
            output.say_json(plan_json(plan, CleanupReport()))
        return 0
    if not yes and not agreed(f"Delete {len(plan.take)} workspaces of {swarm.id}?"):
        return EXIT_CANCELLED
    return await clean_up(engine, plan, wish, as_json=as_json)
