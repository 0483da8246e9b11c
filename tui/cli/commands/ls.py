"""`swarm-tui ls`: a table of the runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from engine.domain.cost import no_cost
from engine.domain.fault import faults_words
from engine.domain.model import Run, Status
from tui.cli.support import output
from tui.cli.support.argument_completion import filter_terms, machines
from tui.cli.support.filter_text import filter_text
from tui.cli.support.listing import listed_json, show_unsupervised, supervision_of
from tui.cli.support.options import (
    BatchParam,
    ChoiceParam,
    NumberParam,
    PastParam,
    ProjectParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.run_selection import NEEDS_YOU, RunOrder, RunSelection
from tui.models.run_tree import run_tree

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort
    from engine.ports.run_list import RunListPort

LATEST = 50
FIRST_STEPS = "No runs yet. Start one: `swarm-tui run PROMPT`. Without a login: `swarm-tui demo`."
_SORTS = tuple(map(str, RunOrder))
COLUMNS = ("account", "cost", "model", "node", "tags", "tokens")
"""Columns that are shown only where they are asked for."""


@click.command(
    epilog=examples(
        "ls --status failed",
        "ls --since 2h --sort changes",
        "ls tag:release '!status:failed'",
        "ls parent:k3f --tree",
        "ls --column cost --column tags --sort cost",
        "ls --json -n 10",
        "ls -q --project nightly --status failed",
    )
)
@click.argument(
    "terms", metavar="[FILTER...]", nargs=-1, type=TextParam(), shell_complete=filter_terms
)
@click.option(
    "--status",
    "statuses",
    type=ChoiceParam([*Status, NEEDS_YOU]),
    multiple=True,
    help="Only runs with this status; repeatable. needs-you: failed, stalled, or an agent asks.",
)
@click.option("--project", type=ProjectParam(), help="Only runs of this project.")
@click.option("--batch", type=BatchParam(), help="Only runs of this batch.")
@click.option(
    "--on",
    type=TextParam(),
    metavar="NODE",
    shell_complete=machines,
    help="Only runs on this node, or on this machine (local), or that wait for any.",
)
@click.option("--archived", is_flag=True, help="List the archived runs, as is:archived does.")
@click.option(
    "--since",
    type=PastParam(),
    metavar="TIME",
    help="Only runs created since then: 2h, 3d, HH:MM or a date.",
)
@click.option(
    "--sort",
    type=ChoiceParam(RunOrder),
    default=RunOrder.NEWEST.value,
    metavar="ORDER",
    help=f"Sort by {', '.join(_SORTS[:-1])} or {_SORTS[-1]}.  [default: {RunOrder.NEWEST}]",
)
@click.option(
    "--column",
    "columns",
    type=ChoiceParam(COLUMNS),
    multiple=True,
    help=f"Add a column: {', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}; repeatable.",
)
@click.option(
    "-n",
    "--limit",
    type=NumberParam(min=1),
    help=f"List at most N runs.  [default: {LATEST}; all with --all, --json or -q]",
)
@click.option("-a", "--all", "everything", is_flag=True, help="List all runs, however many.")
@click.option("--tree", is_flag=True, help="List children below their parent in any output.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the ids, one a line.")
@json_option("Print the run objects as one JSON array.")
@everywhere()
def ls(
    terms: tuple[str, ...],
    archived: bool,
    on: str | None,
    as_json: bool,
    quiet: bool,
    tree: bool,
    limit: int | None,
    everything: bool,
    since: float | None,
    sort: str,
    columns: tuple[str, ...],
    **wanted: Any,  # noqa: ANN401  click passes options by name
) -> int:
    """List runs, newest first; the end of an id in bold is enough to name the run.

    FILTER is a word, !word, or a field such as tag:release, status:failed, cause:quota, project:x,
    parent:k3f, is:review, is:applied, is:expensive or is:dismissed: all have to hold. Archived runs
    are listed with is:archived only.

    On a terminal, runs that a run started stand below it; with another order only with --tree.

    NOTE is the cause of a failure, what a run does or waits for, or what came of it; it names
    your decision, or else has your own note (¶).
    """
    from tui.cli.support import reading

    if [quiet, as_json, tree].count(True) > 1:
        raise click.UsageError("--quiet, --json and --tree exclude each other.")
    if everything and limit:
        raise click.UsageError("--all and --limit exclude each other.")
    most = limit or (None if as_json or quiet or everything else LATEST)
    text = filter_text((*terms, *([f"on:{on}"] if on else ()), *(["is:archived"] * archived)))
    selection = RunSelection(wanted, since, sort, most, text)
    is_tree = tree or (sort == RunOrder.NEWEST and output.is_terminal(sys.stdout))
    if as_json:
        return _json(selection)
    if quiet:
        return reading.start(partial(_ids, selection))
    return reading.start(partial(_ls, selection, columns, is_tree))


async def _ids(selection: RunSelection, engine: RunListPort) -> int:
    runs = await selection.runs(engine, selection.limit)
    if runs:
        output.say("\n".join(run.id for run in runs))
    return 0


def _json(selection: RunSelection) -> int:
    """Print JSON objects, which hold overlaps: only an engine finds those."""
    from tui.cli.support import session

    async def work() -> int:
        async with session.open_engine() as engine:
            await _list(selection, engine, partial(_print_json, engine))
        return 0

    return session.start(work())


async def _ls(
    selection: RunSelection, columns: Sequence[str], is_tree: bool, engine: RunListPort
) -> int:
    from tui.cli.support import waiting

    async def print_runs(shown: Sequence[Run]) -> None:
        asked = frozenset(columns) | {selection.sort}.intersection(COLUMNS)
        rows = run_tree(shown) if is_tree else [(run, 0) for run in shown]
        await _print_table(engine, rows, asked, is_filtered=selection.is_filtered)

    runs, shown = await _list(selection, engine, print_runs)
    if words := waiting.pause_note(engine, time.time()):
        output.say_aside(words)
    if not shown:
        output.say_aside("No runs match." if selection.is_filtered else FIRST_STEPS)
    elif len(runs) > len(shown) and output.is_terminal(sys.stderr):
        output.say_aside("There are more: -n NUMBER or --all shows them.")
    return 0


async def _list(
    selection: RunSelection,
    engine: RunListPort,
    print_runs: Callable[[Sequence[Run]], Awaitable[None]],
) -> tuple[list[Run], list[Run]]:
    """Print the runs, and on stderr the faults of supervision; return those found, and shown."""
    runs = await selection.runs(engine, selection.limit and selection.limit + 1)
    shown = runs[: selection.limit]
    await print_runs(shown)
    if engine.faults:
        output.say_aside(faults_words(engine.faults))
    show_unsupervised(supervision_of(engine, shown), shown)
    return runs, shown


async def _print_json(engine: EnginePort, runs: Sequence[Run]) -> None:
    from tui.cli.support import waiting

    now, waits = time.time(), await waiting.of_store(engine)
    radar, state = await engine.radar(), supervision_of(engine, runs)
    cost = engine.costs.of_run
    output.say_json(
        [listed_json(run, now, waits, radar.overlaps(run.id), state, cost) for run in runs],
    )


async def _print_table(
    engine: RunListPort,
    rows: Sequence[tuple[Run, int]],
    columns: frozenset[str],
    *,
    is_filtered: bool,
) -> None:
    """Print the table of runs, each with its depth below another run that is listed."""
    from tui.cli.support import waiting
    from tui.cli.support.run_table import TableContext, table

    runs, on_terminal = [run for run, _ in rows], output.is_terminal(sys.stdout)
    if not runs and (on_terminal or is_filtered):
        return
    ends = await engine.shortest_ends(run.id for run in runs) if on_terminal else {}
    waits, state = await waiting.of_store(engine), supervision_of(engine, runs)
    # Prices bring several modules.
    cost = engine.costs.of_run if "cost" in columns else no_cost
    depths = {run.id: depth for run, depth in rows if depth}
    context = TableContext(time.time(), waits, state, ends, columns, cost, depths)
    output.say_styled(table(runs, context))
