"""`swarm-tui show`: the details of one run."""

from __future__ import annotations

import time

import click

from tui.cli.support import output
from tui.cli.support.listing import STANDS, listed_json, show_unsupervised, supervision_of, time_of
from tui.cli.support.options import RunArgument, RunParam, everywhere, examples, json_option


@click.command(epilog=examples("show @last", "show k3f --json"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@json_option("Print the run object.")
@everywhere()
def show(run: str, as_json: bool) -> int:
    """Show the details of a run; RUN is a unique beginning or end of its id, or @last."""
    from tui.cli.support import session

    return session.start(_show(run, as_json))


async def _show(name: str, as_json: bool) -> int:
    from tui.cli.support import failure, session, waiting

    async with session.open_engine() as engine:
        run = await engine.workspaces.check(await engine.find(name))
        waits = await waiting.of_store(engine)
        overlaps = (await engine.radar()).overlaps(run.id) if run.touched else []
    state, now = supervision_of(engine, [run]), time.time()
    if as_json:
        output.say_json(listed_json(run, now, waits, overlaps, state))
        return 0
    now = time_of(run, now, state)
    from tui import formatting

    facts = formatting.facts(run, now, waiting.doing(run, now, waits.get(run.id)), overlaps)
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
