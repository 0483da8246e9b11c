"""`du`: what takes room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.disk_results import measured_usage, usage_json
from tui.cli.support.options import TextParam, everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.engine import DiskUsage

SHOWN = 10
KINDS = {
    "workspace": "workspaces",
    "node": "workspaces on nodes (no room here)",
    "files": "run files",
    "database": "database",
    "trash": "trash",
    "other": "other",
    "codex": "Codex's own home",
    "rollout": "sessions of runs here (count above, or in other)",
}


@click.command(epilog=examples("du", "du --project api --all", "du --json"))
@click.option("--project", type=TextParam(), metavar="P", help="Only this project.")
@click.option("--all", "whole", is_flag=True, help=f"Show all runs, not only the {SHOWN} largest.")
@json_option("Print all places with their sizes in bytes, as one object.")
@everywhere()
def du(project: str | None, whole: bool, as_json: bool) -> int:
    """Show disk usage: workspaces, run files, database, trash, Codex's own home."""
    from tui.cli.support import session

    return session.start(_du(project, whole=whole, as_json=as_json))


async def _du(project: str | None, *, whole: bool, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        found = await measured_usage(engine, project)
        free = engine.disk.free()
        if as_json:
            output.say_json(usage_json(found, free))
            return 0
        kinds = _by_kind(found)
        shown = {kind: each if whole else each[:SHOWN] for kind, each in kinds.items()}
        ids = {one.place.run for places in shown.values() for one in places} - {""}
        runs = await engine.runs(ids=ids) if ids else []
    _tell_usage(kinds, shown, free, {run.id: run.spec.title for run in runs})
    return 0


def _by_kind(found: Iterable[DiskUsage]) -> dict[str, list[DiskUsage]]:
    """Return the places of each kind that has any, the largest first."""
    largest = sorted(found, key=lambda one: -one.figures.disk)
    kinds = {kind: [one for one in largest if one.place.kind == kind] for kind in KINDS}
    return {kind: places for kind, places in kinds.items() if places}


def _tell_usage(
    kinds: Mapping[str, Sequence[DiskUsage]],
    shown: Mapping[str, Sequence[DiskUsage]],
    free: int,
    titles: Mapping[str, str],
) -> None:
    from tui import formatting

    for kind, places in kinds.items():
        disk = sum(one.figures.disk for one in places)
        again = sum(one.figures.rebuildable for one in places)
        more = f"  {formatting.size(again)} of it can be made again" if again else ""
        output.say(f"{formatting.size(disk):>10}  {KINDS[kind]}{more}")
        for one in shown[kind]:
            label = one.place.run or one.place.name
            title = titles.get(one.place.run, "")
            parts = (one.place.project, label, title, one.place.state, one.error)
            words = "  ".join(part for part in parts if part)
            output.say(f"{formatting.size(one.figures.disk):>20}  {words}")
        if hidden := places[len(shown[kind]) :]:
            rest = sum(one.figures.disk for one in hidden)
            output.say(f"{formatting.size(rest):>20}  {len(hidden)} more (--all)")
    output.say(f"{formatting.size(free):>10}  free")
