"""`swarm-tui ls` and `swarm-tui show`: what is there."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.domain.activity import clock, elapsed_s, ordinal
from engine.domain.fault import faults_words
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run, Status
from tui.cli.support import output
from tui.cli.support.colours import COLOURS
from tui.cli.support.options import (
    STATUSES,
    BatchParam,
    NumberParam,
    ProjectParam,
    RunParam,
    everywhere,
    examples,
    json_option,
)

if TYPE_CHECKING:
    from engine.domain.radar import Overlap
    from engine.engine import SupervisionState
    from engine.ports.engine import EnginePort
    from tui.cli.support.waiting import QueueWait

LATEST = 50
STANDS = "?"
"""Mark beside the time of a run without a supervisor."""
HEADINGS = ("ID", "STATUS", "DONE", "ELAPSED", "CHANGES", "PROJECT", "TITLE")


@click.command(
    epilog=examples(
        "ls --status failed", "ls --json -n 10", "ls -q --project nightly --status failed"
    )
)
@click.option(
    "--status",
    "statuses",
    type=STATUSES,
    multiple=True,
    help="Only runs with this status; repeatable.",
)
@click.option("--project", type=ProjectParam(), help="Only runs of this project.")
@click.option("--batch", type=BatchParam(), help="Only runs of this batch.")
@click.option(
    "-n",
    "--limit",
    type=NumberParam(min=1),
    help=f"List at most N runs.  [default: {LATEST}; all with --json or -q]",
)
@click.option("-q", "--quiet", is_flag=True, help="Print only the ids, one a line.")
@json_option("Print the run objects as one JSON array.")
@everywhere()
def ls(as_json: bool, quiet: bool, limit: int | None, **wanted: Any) -> int:  # noqa: ANN401  click passes options by name
    """List runs, newest first."""
    from tui.cli.support import session

    if quiet and as_json:
        raise click.UsageError("--quiet and --json exclude each other.")
    return session.start(_ids(limit, wanted) if quiet else _ls(as_json, limit, wanted))


async def _ids(limit: int | None, wanted: dict[str, Any]) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        runs = await engine.runs(**await _found(engine, wanted), limit=limit or -1)
    if runs:
        output.say("\n".join(run.id for run in runs))
    return 0


async def _ls(as_json: bool, limit: int | None, wanted: dict[str, Any]) -> int:
    from tui.cli.support import session, waiting

    most = limit or (-1 if as_json else LATEST)
    async with session.open_engine() as engine:
        wanted = await _found(engine, wanted)
        runs = await engine.runs(**wanted, limit=most if most < 0 else most + 1)
        waits = await waiting.of_store(engine)
        radar = await engine.radar() if as_json else None
    now = time.time()
    shown = runs if most < 0 else runs[:most]
    state = _supervision(engine, shown)
    if radar:
        output.say_json(
            [_listed_json(run, now, waits, radar.overlaps(run.id), state) for run in shown]
        )
    else:
        output.say_styled(_table(shown, now, waits, state))
    if engine.faults:
        output.say_aside(faults_words(engine.faults))
    _show_unsupervised(state, shown)
    if radar:
        return 0
    if words := waiting.pause_note(engine, now):
        output.say_aside(words)
    if output.is_terminal(sys.stderr):
        _hint(any_run=bool(shown), filtered=any(wanted.values()), more=len(runs) > len(shown))
    return 0


async def _found(engine: EnginePort, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the criteria with the id of the batch that is meant."""
    batch = wanted["batch"]
    return wanted | {"batch": (await engine.swarms.find(batch)).id if batch else None}


def _supervision(engine: EnginePort, runs: Iterable[Run]) -> SupervisionState | None:
    """Return how the runs are supervised; None where none of them is live."""
    if not any(run.status in LIVE for run in runs):
        return None
    from engine.engine import supervision_state  # late: seldom needed

    return supervision_state(engine.paths.lock)


def _show_unsupervised(state: SupervisionState | None, runs: Iterable[Run]) -> None:
    """Print why live runs are not supervised, and what the marked times mean."""
    if state is None or not state.problem:
        return
    output.say_aside(state.problem)
    if any(state.stands(run) for run in runs):
        output.say_aside(f"Times marked {STANDS} are as of the last sign of supervision.")


def _time_of(run: Run, now: float, state: SupervisionState | None) -> float:
    return state.time_of(run, now) if state else now


def _listed_json(
    run: Run,
    now: float,
    waits: dict[str, QueueWait],
    overlaps: Sequence[Overlap],
    state: SupervisionState | None,
) -> dict[str, Any]:
    """Return a run as a JSON object, with the runs that change the same files."""
    from tui.cli.support import waiting

    listed = [{"run": one.run, "paths": list(one.paths)} for one in overlaps]
    supervised = None if state is None or run.status not in LIVE else not state.problem
    told = waiting.told_json(run, _time_of(run, now, state), waits)
    return {**told, "supervised": supervised, "overlaps": listed}


def _table(
    runs: Iterable[Run], now: float, waits: dict[str, QueueWait], state: SupervisionState | None
) -> Iterable[Iterable[tuple[str, str | None]]]:
    from tui import formatting
    from tui.cli.support.summaries import full_title
    from tui.terminal.cells import clean, crop, fit

    rows = [
        (
            run.id,
            formatting.word(run.status),
            ordinal(waits[run.id].position) if run.id in waits else f"{run.percent}%",
            _elapsed(run, now, state),
            formatting.changed(run) or "-",
            crop(clean(run.spec.project), 24) or "-",
            full_title(run),
        )
        for run in runs
    ]
    colours = [COLOURS.get(formatting.tone(run.status)) for run in runs]
    widths = [max(len(fit_to) for fit_to in column) for column in zip(HEADINGS, *rows, strict=True)]
    room = _room(widths[:-1])
    for row, colour in zip([HEADINGS, *rows], ["bright_black", *colours], strict=True):
        cells = [fit(cell, width) for cell, width in zip(row, widths[:-1], strict=False)]
        yield [
            (cells[0] + "  ", None),
            (cells[1] + "  ", colour),
            ("  ".join(cells[2:]) + "  ", None),
            (crop(row[-1], room) if room else row[-1], None),
        ]


def _elapsed(run: Run, now: float, state: SupervisionState | None) -> str:
    """Return the time since the start, or down to it; marked where it stands still."""
    start = max(run.not_before or 0.0, run.spec.not_before or 0.0)
    if run.status is Status.QUEUED and start > now:
        return f"-{clock(start - now)}"
    mark = STANDS if state and state.stands(run) else ""
    return clock(elapsed_s(run, _time_of(run, now, state))) + mark


def _room(widths: Sequence[int]) -> int:
    """Return the cells left for the last column on a terminal; in a pipe nothing is cut."""
    if not output.is_terminal(sys.stdout):
        return 0
    import shutil

    return max(10, shutil.get_terminal_size().columns - sum(widths) - 2 * len(widths))


def _hint(*, any_run: bool, filtered: bool, more: bool) -> None:
    if not any_run:
        first = "Start one with `swarm-tui run PROMPT`, or look at `swarm-tui demo`."
        output.say_aside("No run matches." if filtered else f"There are no runs yet. {first}")
    elif more:
        output.say_aside("There are more: -n NUMBER shows them.")


@click.command(epilog=examples("show @last", "show 0f3 --json"))
@click.argument("run", metavar="RUN", type=RunParam())
@json_option("Print the run object.")
@everywhere()
def show(run: str, as_json: bool) -> int:
    """Show the details of a run; RUN is any unique beginning of its id, or @last."""
    from tui.cli.support import session

    return session.start(_show(run, as_json))


async def _show(name: str, as_json: bool) -> int:
    from tui.cli.support import failure, session, waiting

    async with session.open_engine() as engine:
        run = await engine.workspaces.check(await engine.find(name))
        waits = await waiting.of_store(engine)
        overlaps = (await engine.radar()).overlaps(run.id) if run.touched else []
    state, now = _supervision(engine, [run]), time.time()
    if as_json:
        output.say_json(_listed_json(run, now, waits, overlaps, state))
        return 0
    now = _time_of(run, now, state)
    from tui import formatting as look

    facts = look.facts(run, now, waiting.doing(run, now, waits.get(run.id)), overlaps)
    if state and state.stands(run):
        facts = [(name, text + STANDS * (name == "elapsed")) for name, text in facts]
    width = max(len(name) for name, _ in facts)
    output.say_styled(
        [
            (f"{name:<{width}}  ", "bright_black"),
            (text.replace("\n", "\n" + " " * (width + 2)), None),
        ]
        for name, text in facts
    )
    if run.error:
        failure.tell(run.error)
    _show_unsupervised(state, [run])
    return 0
