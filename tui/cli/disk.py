"""`du` and `cleanup`: what takes room, and how it is freed without losing anything."""

from __future__ import annotations

import signal
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tui.cells import clean
from tui.cli import failure, output
from tui.cli.options import (
    STATUSES,
    DurationType,
    RunName,
    Utf8,
    everywhere,
    examples,
    has_ended,
    json_option,
)

if TYPE_CHECKING:
    from engine.engine import Cleaned, Engine, Entry, Plan, Report, Usage, Wish

SHOWN = 10
KINDS = {
    "workspace": "workspaces",
    "files": "run files",
    "database": "database",
    "trash": "trash",
    "other": "other",
    "codex": "Codex's own home",
    "rollout": "of which sessions of runs here",
}


@click.command(epilog=examples("du", "du --project api --all", "du --json"))
@click.option("--project", type=Utf8(), metavar="P", help="Only what belongs to this project.")
@click.option("--all", "whole", is_flag=True, help=f"Every run, not only the {SHOWN} largest.")
@json_option("Print all places with their sizes in bytes, as one object.")
@everywhere()
def du(project: str | None, whole: bool, as_json: bool) -> int:
    """Say what takes room: workspaces, run files, database, trash, Codex's own home."""
    from tui.cli import session

    return session.start(_du(project, whole=whole, as_json=as_json))


async def _du(project: str | None, *, whole: bool, as_json: bool) -> int:
    from tui.cli import session

    async with session.open_engine() as engine:
        found: dict[Any, Usage] = {}

        def told(one: Usage) -> None:
            found[one.place] = one

        await engine.disk.measure(told)
        free = engine.disk.free()
        titles = {run.id: run.spec.title for run in await engine.runs()}
    all_of_it = [one for one in found.values() if project in (None, one.place.project)]
    if as_json:
        output.say_json({"places": [_place_json(one) for one in all_of_it], "free": free})
    else:
        _tell_usage(all_of_it, free, titles, whole=whole)
    return 0


def _place_json(one: Usage) -> dict[str, Any]:
    place = one.place
    return {
        "kind": place.kind,
        "path": str(place.path),
        "run": place.run or None,
        "project": place.project or None,
        **asdict(one.figures),
        "error": one.error,
    }


def _tell_usage(found: list[Usage], free: int, titles: dict[str, str], *, whole: bool) -> None:
    from tui import show

    for kind, name in KINDS.items():
        places = [one for one in found if one.place.kind == kind]
        if not places:
            continue
        disk = sum(one.figures.disk for one in places)
        again = sum(one.figures.rebuildable for one in places)
        more = f"  {show.size(again)} of it can be made again" if again else ""
        output.say(f"{show.size(disk):>10}  {name}{more}")
        largest = sorted(places, key=lambda one: -one.figures.disk)
        shown = largest if whole else largest[:SHOWN]
        for one in shown:
            label = one.place.run or one.place.name
            title = titles.get(one.place.run, "")
            words = "  ".join(word for word in (one.place.project, label, title) if word)
            output.say(f"{show.size(one.figures.disk):>20}  {words}")
        if len(shown) < len(largest):
            rest = sum(one.figures.disk for one in largest[len(shown) :])
            output.say(f"{show.size(rest):>20}  {len(largest) - len(shown)} more (--all)")
    output.say(f"{show.size(free):>10}  free")


@click.command(
    epilog=examples(
        "cleanup --older-than 7d --dry-run",
        "cleanup --status failed --status cancelled",
        "cleanup --artefacts-only --force",
        "cleanup @last --undo",
    )
)
@click.argument("runs", metavar="[RUN...]", nargs=-1, type=RunName(has_ended))
@click.option(
    "--older-than", type=DurationType(), metavar="DUR", help="Ended at least so long ago."
)
@click.option("--status", "statuses", type=STATUSES, multiple=True, help="Only runs that are so.")
@click.option("--project", type=Utf8(), metavar="P", help="Only runs of this project.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Leave the newest N of each project.",
)
@click.option(
    "--artefacts-only",
    is_flag=True,
    help="Take only what can be made again (node_modules and the like), for good.",
)
@click.option(
    "--including-unsaved",
    is_flag=True,
    help="Take work that is nowhere else, too; a patch of it is kept with the run.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--force", is_flag=True, help="Do not ask.")
@click.option("--undo", is_flag=True, help="Bring back what was deleted last, of all or of RUN.")
@click.option("--empty-trash", is_flag=True, help="Remove for good what is in the trash.")
@json_option("Print the plan, and what was done, as one object.")
@everywhere()
def cleanup(as_json: bool, **asked: Any) -> int:  # noqa: ANN401
    """Delete workspaces of runs that have ended, into the trash; --undo brings them back.

    Of all runs, or only of those named.

    Never a live run, never a folder that was worked in in place, and no work that is nowhere else:
    it says what it leaves, and why. The exit code is 1 if something could not be deleted.
    """
    from tui.cli import session

    return session.start(_cleanup(asked, as_json=as_json))


async def _cleanup(asked: dict[str, Any], *, as_json: bool) -> int:
    from engine.engine import Report, Wish
    from tui.cli import session

    async with session.open_engine() as engine:
        runs = [(await engine.find(name)).id for name in asked["runs"]]
        if asked["undo"]:
            back = [await engine.disk.undo(run) for run in runs] or [await engine.disk.undo()]
            return _tell_entries(back, as_json=as_json)
        if asked["empty_trash"]:
            return await _empty(engine, asked, runs, as_json=as_json)
        wish = Wish(
            runs=frozenset(runs),
            older_than_s=asked["older_than"] or 0.0,
            statuses=frozenset(asked["statuses"]),
            project=asked["project"],
            keep=asked["keep"],
            artefacts_only=asked["artefacts_only"],
            including_unsaved=asked["including_unsaved"],
        )
        plan = await engine.disk.plan(wish)
        if not as_json:
            tell_plan(plan)
        if asked["dry_run"] or not plan.take:
            if as_json:
                output.say_json(plan_json(plan, Report()))
            return 0
        if not asked["force"] and not agreed(f"Delete {_counted(len(plan.take))}?"):
            return failure.EXIT_CANCELLED
        return await clean_up(engine, plan, wish, as_json=as_json)


async def clean_up(engine: Engine, plan: Plan, wish: Wish, *, as_json: bool) -> int:
    """Do what was planned, say what became of it, and give the exit code."""
    from tui import show
    from tui.cli import session

    stopped: list[signal.Signals] = []
    with session.stops(stopped.append):
        told = None if as_json else _tell_cleaned
        report = await engine.disk.clean(plan, wish, told, stop=lambda: bool(stopped))
    failed = [one for one in report.cleaned if one.failure]
    if as_json:
        output.say_json(plan_json(plan, report))
    else:
        done = _counted(len(report.cleaned) - len(failed))
        where = "for good" if plan.artefacts_only else "in the trash; --undo brings the last back"
        output.say(f"{done}, {show.size(report.freed)}: {where}")
    if report.stopped:
        return failure.EXIT_CANCELLED
    return failure.EXIT_FAILED if failed else 0


async def _empty(engine: Engine, asked: dict[str, Any], runs: list[str], *, as_json: bool) -> int:
    entries = [one for one in await engine.disk.trash() if not runs or one.run in runs]
    if not as_json:
        output.say("\n".join(f"{one.run}  {one.title}" for one in entries) or "The trash is empty.")
    count = 0
    if entries and not asked["dry_run"]:
        if not asked["force"] and not agreed(f"Remove {_counted(len(entries))} for good?"):
            return failure.EXIT_CANCELLED
        count = await engine.disk.empty(entries)
    if as_json:
        output.say_json({"trash": [_entry_json(one) for one in entries], "removed": count})
    return 0 if asked["dry_run"] or count == len(entries) else failure.EXIT_FAILED


def agreed(question: str) -> bool:
    """Ask on the terminal; without one, nobody can agree."""
    from engine.domain.errors import user_error

    if not (sys.stdin.isatty() and output.is_terminal(sys.stderr)):
        message = "Nobody is there to be asked."
        raise user_error("INPUT_INVALID", message, "Say --force, or --dry-run to see the plan.")
    return click.confirm(question, err=True)


def tell_plan(plan: Plan) -> None:
    """Say what would go and what stays."""
    from tui import show

    for name, items in (("would go", plan.take), ("stay", plan.keep)):
        if items:
            output.say(f"{name}: {_counted(len(items))}, {show.size(sum(i.size for i in items))}")
        for item in items:
            title = clean(item.title, 200)
            output.say(f"{show.size(item.size):>12}  {item.run}  {title}: {item.why}")
    if not plan.take:
        output.say("There is nothing to delete.")


def _tell_cleaned(one: Cleaned) -> None:
    from tui import show

    if one.failure:
        output.say(f"{'kept':>12}  {one.item.run}  {one.failure.message}")
    else:
        output.say(f"{show.size(one.freed):>12}  {one.item.run}  deleted")


def _tell_entries(entries: list[Entry], *, as_json: bool) -> int:
    if as_json:
        output.say_json({"restored": [_entry_json(entry) for entry in entries]})
    else:
        output.say("\n".join(f"{entry.run} is back: {entry.path}" for entry in entries))
    return 0


def plan_json(plan: Plan, report: Report) -> dict[str, Any]:
    """Give a plan, and what was done, as the JSON object of the contract."""
    return {
        "take": [asdict(item) for item in plan.take],
        "keep": [asdict(item) for item in plan.keep],
        "size": plan.size,
        "cleaned": [_cleaned_json(one) for one in report.cleaned],
        "freed": report.freed,
        "stopped": report.stopped,
    }


def _cleaned_json(one: Cleaned) -> dict[str, Any]:
    error = one.failure.info if one.failure else None
    return {
        "run": one.item.run,
        "freed": one.freed,
        "entry": one.entry or None,
        "error": asdict(error) if error else None,
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    from engine.domain.events import iso

    names = ("id", "run", "project", "title", "path", "kind", "source", "branch", "is_only_here")
    return {**{name: getattr(entry, name) for name in names}, "at": iso(entry.at)}


def _counted(count: int) -> str:
    return f"{count} workspace{'' if count == 1 else 's'}"
