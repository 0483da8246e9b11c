"""`swarm-tui compare` and `swarm-tui batch compare`: runs side by side, the best on the left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from tui.cli.support import output
from tui.cli.support.options import (
    BatchParam,
    RunArgument,
    RunParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.run_comparison import compared_runs, comparison_json, task_of_runs

if TYPE_CHECKING:
    from engine.domain.cost import RunCost
    from engine.domain.ranking import RankedTask
    from engine.ports.engine import EnginePort
    from tui.formatting.comparison import Compared

NAME = 44
LEAST, MOST = 24, 48
"""Cells of a run's column."""


@click.command(epilog=examples("compare k3f p9d 0f3", "compare @last", "compare k3f p9d --json"))
@click.argument("runs", cls=RunArgument, metavar="RUN...", type=RunParam(), nargs=-1, required=True)
@json_option("Print the runs and what they changed as one array.")
@everywhere()
def compare(runs: tuple[str, ...], as_json: bool) -> int:
    """Compare runs side by side: the best on the left, with the reason, and the changed files.

    With one RUN, compare all runs of its task. `diff RUN --against RUN2` shows how two differ.
    """
    from tui.cli.support import session

    return session.start(_compare_runs(runs, as_json=as_json))


@click.command(name="compare", epilog=examples("batch compare @last"))
@click.argument("name", metavar="BATCH", type=BatchParam(), default="@last")
@json_option("Print the tasks, each with its runs and what they changed.")
@everywhere()
def compare_batch(name: str, as_json: bool) -> int:
    """Compare the runs of each task side by side: the best on the left, with changed files."""
    from tui.cli.support import session

    return session.start(_compare_batch(name, as_json=as_json))


async def _compare_runs(names: tuple[str, ...], *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        task = await task_of_runs(engine, await session.find_all(engine, names))
        await _print_tasks(engine, [task], as_json=as_json)
    return 0


async def _compare_batch(name: str, *, as_json: bool) -> int:
    from engine.domain.ranking import tasks
    from tui.cli.support import session

    async with session.open_engine() as engine:
        swarm = await engine.swarms.find(name)
        runs = await engine.swarms.runs(swarm.id)
        found = tasks([await engine.workspaces.check(run) for run in runs])
        await _print_tasks(engine, found, as_json=as_json)
    return 0


async def _print_tasks(engine: EnginePort, found: Iterable[RankedTask], *, as_json: bool) -> None:
    told: list[dict[str, Any]] = []
    for task in found:
        if as_json:
            told.append(await comparison_json(engine, task))
        else:
            compared = await compared_runs(engine, task)
            output.say("\n".join([*_side_by_side(task, compared, engine.costs.of_run), ""]))
    if as_json:
        output.say_json(told)


def _side_by_side(task: RankedTask, compared: Compared, cost: RunCost) -> list[str]:
    from tui.formatting import batches, comparison
    from tui.formatting.file_changes import path_tail
    from tui.terminal.cells import fit

    paths = comparison.paths_of(compared)
    about = batches.given(task) if task.given else f"{len(task.runs)} runs"
    name = min(NAME, max([10, *map(len, paths)]))
    room = shutil.get_terminal_size().columns - name
    width = max(LEAST, min(MOST, room // len(task.runs) - 2))
    rows = comparison.fact_rows(task, task.runs, compared, time.time(), width, cost)
    rows += [comparison.file_row(path, task.runs, compared) for path in paths]
    heading = f"{about}: {comparison.merit_words(task) or 'one run'}"
    return [heading] + [
        f"{fit(path_tail(row, name), name)}  "
        + "  ".join(fit(text, width) for text, _ in cells).rstrip()
        for row, cells in rows
    ]
