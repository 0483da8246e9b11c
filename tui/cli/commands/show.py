"""`swarm-tui show`: the details of one run."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.listing import (
    STANDS,
    listed_json,
    show_unsupervised,
    shown_json,
    supervision_of,
    time_of,
    windows_of,
)
from tui.cli.support.options import RunArgument, RunParam, everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort


@click.command(epilog=examples("show @last", "show k3f --json"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@json_option("Print the run object.")
@everywhere()
def show(run: str, as_json: bool) -> int:
    """Show the details of a run; RUN is a unique beginning or end of its id, or @last."""
    from tui.cli.support import session

    return session.start(_show(run, as_json))


async def _show(name: str, as_json: bool) -> int:
    from engine.domain.lifecycle import FINISHED
    from tui.cli.support import failure, session, waiting

    async with session.open_engine() as engine:
        run = await engine.workspaces.check(await engine.find(name))
        waits = await waiting.of_store(engine)
        overlaps = (await engine.radar()).overlaps(run.id) if run.touched else []
        is_read = run.workspace and run.status in FINISHED and not as_json
        windows = await windows_of(engine, run)
        distance = await engine.updates.behind(run.id) if is_read else None
        family = [] if as_json else await _family(engine, run)
    state, now = supervision_of(engine, [run]), time.time()
    if as_json:
        found = listed_json(run, now, waits, overlaps, state, engine.costs.of_run)
        output.say_json(shown_json(found, windows))
        return 0
    now = time_of(run, now, state)
    from tui import formatting
    from tui.formatting.limit_cycles import forecast_lines
    from tui.formatting.updates import behind

    doing = waiting.doing(run, now, waits.get(run.id))
    facts = formatting.facts(run, now, doing, overlaps, engine.costs.of_run(run), family)
    facts += [("forecast", line) for line in forecast_lines(windows, time.time())]
    if distance and (words := behind(distance)):
        facts.append(("behind", words))
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
    show_unsupervised(state, [run])
    return 0


async def _family(engine: EnginePort, run: Run) -> list[tuple[str, str]]:
    """Return the parent of a run, and the runs below it."""
    from engine.domain.errors import UserError
    from tui.formatting.families import family_facts

    parent = None
    with suppress(UserError):  # it was forgotten
        parent = await engine.find(run.spec.parent) if run.spec.parent else None
    return family_facts(run, parent, await engine.runs(below=run.id))
