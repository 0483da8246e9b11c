"""`cleanup`: free disk space without losing anything, from a plan that lists all of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from engine.domain.text import printable_name
from tui.cli.commands.cancel import told_stopped
from tui.cli.support import failure, output
from tui.cli.support.disk_results import (
    emptied_json,
    plan_json,
    restored_entries_json,
    run_or_trashed,
)
from tui.cli.support.options import (
    STATUSES,
    DurationParam,
    RunParam,
    TextParam,
    everywhere,
    examples,
    has_ended,
    json_option,
)
from tui.terminal.cells import clean

if TYPE_CHECKING:
    from engine.engine import (
        CleanupFilter,
        CleanupItem,
        CleanupItemResult,
        CleanupPlan,
        TrashEntry,
    )
    from engine.ports.engine import EnginePort


@click.command(
    epilog=examples(
        "cleanup --older-than 7d --dry-run",
        "cleanup --status failed --status cancelled",
        "cleanup --artefacts-only --force",
        "cleanup @last --undo",
    )
)
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=RunParam(has_ended))
@click.option(
    "--older-than",
    type=DurationParam(may_be_zero=True),
    metavar="DUR",
    help="Only runs that ended at least this long ago, such as 7d, 12h or 90 (seconds); "
    "0: all that have ended.",
)
@click.option(
    "--status", "statuses", type=STATUSES, multiple=True, help="Only runs with this status."
)
@click.option("--project", type=TextParam(), metavar="P", help="Only runs of this project.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Keep the newest N runs of each project.",
)
@click.option(
    "--artefacts-only",
    is_flag=True,
    help="Delete only rebuildable folders (such as node_modules), permanently.",
)
@click.option(
    "--including-unsaved",
    is_flag=True,
    help="Delete unsaved work, too; a patch of it is kept with the run.",
)
@click.option(
    "--codex",
    is_flag=True,
    help="Delete Codex's session files of runs that cannot be resumed, permanently.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan; delete nothing.")
@click.option("-y", "--yes", "--force", "force", is_flag=True, help="Delete without asking.")
@click.option(
    "--undo", is_flag=True, help="Restore the last clean-up, or the last deletion of RUN."
)
@click.option("--empty-trash", is_flag=True, help="Delete the trash permanently.")
@json_option("Print the plan, and what was done, as one object.")
@everywhere()
def cleanup(as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Move workspaces of ended runs to the trash; --undo restores them.

    Without RUN, of all runs. Workspaces on nodes are deleted for good.

    Live runs, in-place folders and unsaved work always stay; the output lists them with reasons.
    The exit code is 1 if something could not be deleted.
    """
    from tui.cli.support import session

    return session.start(_cleanup(asked, as_json=as_json))


async def _cleanup(asked: dict[str, Any], *, as_json: bool) -> int:
    from engine.engine import CleanupFilter, CleanupReport
    from tui.cli.support import session

    deletes = not (asked["dry_run"] or asked["undo"])
    async with session.open_engine(strict=deletes) as engine:
        in_trash = asked["undo"] or asked["empty_trash"]
        runs = [
            await run_or_trashed(engine, name) if in_trash else (await engine.find(name)).id
            for name in asked["runs"]
        ]
        if asked["undo"]:
            back = [one for run in runs or [None] for one in await engine.disk.undo(run)]
            return _tell_entries(back, as_json=as_json)
        if asked["empty_trash"]:
            return await _empty(engine, asked, runs, as_json=as_json)
        wish = CleanupFilter(
            runs=frozenset(runs),
            older_than_s=asked["older_than"] or 0.0,
            statuses=frozenset(asked["statuses"]),
            project=asked["project"],
            keep=asked["keep"],
            artefacts_only=asked["artefacts_only"],
            including_unsaved=asked["including_unsaved"],
            sessions=asked["codex"],
        )
        plan = await planned(engine, wish)
        if plan is None:
            return told_stopped("Stopped: nothing was deleted.")
        if not as_json:
            tell_plan(plan)
        if asked["dry_run"] or not plan.take:
            if as_json:
                output.say_json(plan_json(plan, CleanupReport()))
            return 0
        if not asked["force"] and not agreed(_question(plan)):
            return failure.EXIT_CANCELLED
        return await clean_up(engine, plan, wish, as_json=as_json)


async def planned(engine: EnginePort, wish: CleanupFilter) -> CleanupPlan | None:
    """Return what a clean-up would take and keep; None if the user stopped the search."""
    from tui.cli.support.work_line import work_line

    with work_line() as line:
        line.begin("looking for work that is nowhere else")
        return await line.unless_stopped(engine.disk.plan(wish, line.tell))


async def clean_up(
    engine: EnginePort, plan: CleanupPlan, wish: CleanupFilter, *, as_json: bool
) -> int:
    """Apply the plan, print the result, and return the exit code."""
    from tui import formatting
    from tui.cli.support.work_line import work_line

    with work_line() as line:
        line.begin("deleting", len(plan.take))
        count = 0

        def told(one: CleanupItemResult) -> None:
            nonlocal count
            count += 1
            if not as_json:
                line.say(_cleaned(one))
            line.tell(count)

        report = await engine.disk.clean(plan, wish, told, stop=lambda: line.is_stopped)
    failed = [one for one in report.cleaned if one.failure]
    if as_json:
        output.say_json(plan_json(plan, report))
    else:
        done = _counted(len(report.cleaned) - len(failed), plan.noun)
        where = "for good" if plan.is_for_good else "in the trash; --undo brings them back"
        if plan.on_nodes and not plan.is_for_good:
            where += f", except {plan.on_nodes} on nodes, for good"
        output.say(f"{done}, {formatting.size(report.freed)}: {where}")
    if report.stopped:
        left = len(plan.take) - len(report.cleaned)
        return told_stopped(f"Stopped: {_counted(left, plan.noun)} left as before.")
    return failure.EXIT_FAILED if failed else 0


async def _empty(
    engine: EnginePort, asked: dict[str, Any], runs: list[str], *, as_json: bool
) -> int:
    from tui.cli.support.work_line import work_line

    entries = [one for one in await engine.disk.trash() if not runs or one.run in runs]
    if not as_json:
        output.say("\n".join(f"{one.run}  {one.title}" for one in entries) or "The trash is empty.")
    count = 0
    if entries and not asked["dry_run"]:
        if not asked["force"] and not agreed(f"Remove {_counted(len(entries))} for good?"):
            return failure.EXIT_CANCELLED
        with work_line() as line:
            line.begin("removing", len(entries))
            count = await engine.disk.empty(entries, lambda: line.is_stopped, line.tell)
            stopped = line.is_stopped
        if stopped and count < len(entries):
            told_stopped(f"Stopped: {_counted(len(entries) - count)} left in the trash.")
    if as_json:
        output.say_json(emptied_json(entries, count))
    return 0 if asked["dry_run"] or count == len(entries) else failure.EXIT_FAILED


def agreed(question: str, recovery: str = "Use --force, or --dry-run to see the plan.") -> bool:
    """Ask on the terminal; raises `UserError` where there is none."""
    from engine.domain.errors import user_error

    if not (sys.stdin.isatty() and output.is_terminal(sys.stderr)):
        message = "Cannot ask without a terminal."
        raise user_error("INPUT_INVALID", message, recovery)
    return click.confirm(question, err=True)


def tell_plan(plan: CleanupPlan) -> None:
    """Print what would be removed and what stays."""
    from tui import formatting

    for name, items in (("would go", plan.take), ("stay", plan.keep)):
        if items:
            size = formatting.size(sum(item.size for item in items))
            output.say(f"{name}: {_counted(len(items), plan.noun)}, {size}")
        for item in items:
            title = clean(item.title, 200)
            output.say(f"{formatting.size(item.size):>12}  {_run(item)}  {title}: {item.why}")
            for folder in item.folders:
                output.say(f"{formatting.size(folder.size):>14}  {printable_name(folder.path)}")
    if not plan.take:
        output.say("There is nothing to delete." if not plan.keep else _ways_out(plan))


def _ways_out(plan: CleanupPlan) -> str:
    """Return how to delete what stays."""
    unsaved = [item for item in plan.keep if item.is_unsaved]
    ways: list[str] = []
    if unsaved:
        kept = "checkpoints of it stay" if all(item.host for item in unsaved) else "a patch is kept"
        ways.append(f"`--including-unsaved` deletes unsaved work, too ({kept})")
    if any(item.host for item in plan.keep):
        ways.append("`forget RUN` deletes an ended run with its files on a node")
    return f"Nothing of this is deleted{': ' if ways else ''}{'; '.join(ways)}."


def _question(plan: CleanupPlan) -> str:
    from tui.formatting.questions import FOR_GOOD_THERE

    question = f"Delete {_counted(len(plan.take), plan.noun)}?"
    if plan.on_nodes:
        question += f" {plan.on_nodes} on nodes, without a trash. {FOR_GOOD_THERE}"
    return question


def _run(item: CleanupItem) -> str:
    return item.run or "-"  # a session of no run that is known


def _cleaned(one: CleanupItemResult) -> str:
    from tui import formatting

    if one.failure:
        return f"{'kept':>12}  {one.item.run or '-'}  {one.failure.message}"
    return f"{formatting.size(one.freed):>12}  {one.item.run or '-'}  deleted"


def _tell_entries(entries: list[TrashEntry], *, as_json: bool) -> int:
    if as_json:
        output.say_json(restored_entries_json(entries))
    else:
        output.say("\n".join(f"{entry.run} is back: {entry.path}" for entry in entries))
    return 0


def _counted(count: int, noun: str = "workspace") -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
