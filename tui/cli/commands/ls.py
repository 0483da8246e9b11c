"""`swarm-tui ls`: a table of the runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.domain.activity import elapsed_s
from engine.domain.attention import is_asking, needs_you
from engine.domain.fault import faults_words
from engine.domain.model import Run, Status
from engine.domain.record import record
from tui.cli.support import output
from tui.cli.support.argument_completion import filter_terms
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
from tui.models.filters import compile_filter, filter_problem

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

LATEST = 50
NEEDS_YOU = "needs-you"
FIRST_STEPS = "No runs yet. Start one: `swarm-tui run PROMPT`. Without a login: `swarm-tui demo`."
_STATUS_ORDER = {status: place for place, status in enumerate(Status)}
_NEWEST = "newest"
_SORTS: dict[str, tuple[Callable[[Run], Any], bool]] = {
    _NEWEST: (lambda run: run.id, True),
    "oldest": (lambda run: run.id, False),
    "status": (lambda run: _STATUS_ORDER.get(run.status, len(_STATUS_ORDER)), False),
    "elapsed": (lambda run: elapsed_s(run, time.time()), True),
    "changes": (lambda run: run.changes.insertions + run.changes.deletions, True),
    "tokens": (lambda run: run.usage.input + run.usage.output, True),
    "project": (lambda run: run.spec.project.casefold(), False),
    "title": (lambda run: run.spec.title.casefold(), False),
}
"""Orders by name: the key of a run, and whether the largest comes first."""


@record
class RunSelection:
    """The runs to list, their order, and how many of them at most.

    `text` is a filter in the language of the dashboard.
    """

    wanted: dict[str, Any]
    since: float | None
    sort: str
    limit: int | None
    text: str = ""

    @property
    def is_filtered(self) -> bool:
        """Return whether some runs may be left out other than by the limit."""
        return self.since is not None or any(self.wanted.values()) or bool(self.text)

    async def runs(self, engine: EnginePort, limit: int | None) -> list[Run]:
        """Return the runs, at most `limit`; raises `UserError` for an unknown batch."""
        wanted = dict(self.wanted)
        if wanted["batch"]:
            wanted["batch"] = (await engine.swarms.find(wanted["batch"])).id
        needs = NEEDS_YOU in self.wanted["statuses"]
        if needs:
            wanted["statuses"] = ()
        is_whole = self.since is None and not self.text and not needs
        may_cut = limit and self.sort == _NEWEST and is_whole
        runs = await engine.runs(**wanted, limit=limit if may_cut and limit else -1)
        matches = compile_filter(self.text)
        if may_cut and not all(map(matches, runs)):  # some of the latest are archived
            runs = await engine.runs(**wanted)
        runs = [run for run in runs if run.created_at >= (self.since or 0.0) and matches(run)]
        if needs:
            runs = [run for run in runs if needs_you(run) or run.status in self.wanted["statuses"]]
        if self.sort != _NEWEST:
            key, reverse = _SORTS[self.sort]
            runs.sort(key=key, reverse=reverse)
        if needs:
            runs.sort(key=lambda run: not is_asking(run))
        return runs[:limit]


@click.command(
    epilog=examples(
        "ls --status failed",
        "ls --since 2h --sort changes",
        "ls tag:release '!status:failed'",
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
@click.option("--archived", is_flag=True, help="List the archived runs, as is:archived does.")
@click.option(
    "--since",
    type=PastParam(),
    metavar="TIME",
    help="Only runs created since then: 2h, 3d, HH:MM or a date.",
)
@click.option(
    "--sort",
    type=ChoiceParam(_SORTS),
    default=_NEWEST,
    metavar="ORDER",
    help=f"Sort by {', '.join(list(_SORTS)[:-1])} or {list(_SORTS)[-1]}.  [default: {_NEWEST}]",
)
@click.option(
    "-n",
    "--limit",
    type=NumberParam(min=1),
    help=f"List at most N runs.  [default: {LATEST}; all with --all, --json or -q]",
)
@click.option("-a", "--all", "everything", is_flag=True, help="List all runs, however many.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the ids, one a line.")
@json_option("Print the run objects as one JSON array.")
@everywhere()
def ls(
    terms: tuple[str, ...],
    archived: bool,
    as_json: bool,
    quiet: bool,
    limit: int | None,
    everything: bool,
    since: float | None,
    sort: str,
    **wanted: Any,  # noqa: ANN401  click passes options by name
) -> int:
    """List runs, newest first; the end of an id in bold is enough to name the run.

    FILTER is a word, !word, or a field such as tag:release, status:failed, cause:quota, project:x,
    is:applied or is:dismissed: all have to hold. Archived runs are listed with is:archived only.

    NOTE is the cause of a failure, what a run does or waits for, or what came of it.
    """
    from tui.cli.support import session

    if quiet and as_json:
        raise click.UsageError("--quiet and --json exclude each other.")
    if everything and limit:
        raise click.UsageError("--all and --limit exclude each other.")
    most = limit or (None if as_json or quiet or everything else LATEST)
    text = " ".join((*map(_quoted, terms), *(["is:archived"] * archived)))
    if problem := filter_problem(text):
        raise click.UsageError(problem)
    selection = RunSelection(wanted, since, sort, most, text)
    return session.start(_ids(selection) if quiet else _ls(as_json, selection))


def _quoted(term: str) -> str:
    """Return a word of the command line as one term of the filter."""
    if not any(map(str.isspace, term)) or '"' in term:
        return term
    word = term.lstrip("!")
    denied = term.removesuffix(word)
    name, colon, value = word.partition(":")
    return f'{denied}{name}:"{value}"' if colon and name.isalpha() else f'{denied}"{word}"'


async def _ids(selection: RunSelection) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        runs = await selection.runs(engine, selection.limit)
    if runs:
        output.say("\n".join(run.id for run in runs))
    return 0


async def _ls(as_json: bool, selection: RunSelection) -> int:
    from tui.cli.support import session, waiting

    async with session.open_engine() as engine:
        runs = await selection.runs(engine, selection.limit and selection.limit + 1)
        shown = runs[: selection.limit]
        if as_json:
            await _print_json(engine, shown)
        else:
            await _print_table(engine, shown, is_filtered=selection.is_filtered)
    if engine.faults:
        output.say_aside(faults_words(engine.faults))
    show_unsupervised(supervision_of(engine, shown), shown)
    if as_json:
        return 0
    if words := waiting.pause_note(engine, time.time()):
        output.say_aside(words)
    if not shown:
        output.say_aside("No runs match." if selection.is_filtered else FIRST_STEPS)
    elif len(runs) > len(shown) and output.is_terminal(sys.stderr):
        output.say_aside("There are more: -n NUMBER or --all shows them.")
    return 0


async def _print_json(engine: EnginePort, runs: Sequence[Run]) -> None:
    from tui.cli.support import waiting

    now, waits = time.time(), await waiting.of_store(engine)
    radar, state = await engine.radar(), supervision_of(engine, runs)
    output.say_json(
        [listed_json(run, now, waits, radar.overlaps(run.id), state) for run in runs],
    )


async def _print_table(engine: EnginePort, runs: Sequence[Run], *, is_filtered: bool) -> None:
    from tui.cli.support import waiting
    from tui.cli.support.run_table import TableContext, table

    on_terminal = output.is_terminal(sys.stdout)
    if not runs and (on_terminal or is_filtered):
        return
    ends = await engine.shortest_ends(run.id for run in runs) if on_terminal else {}
    waits, state = await waiting.of_store(engine), supervision_of(engine, runs)
    output.say_styled(table(runs, TableContext(time.time(), waits, state, ends)))
