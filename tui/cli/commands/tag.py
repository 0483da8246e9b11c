"""`swarm-tui tag` and `swarm-tui note`: labels and texts of the user on a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.argument_completion import tags
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    TextParam,
    everywhere,
    examples,
    json_option,
    read_stdin,
)

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort


@click.command(epilog=examples("tag @last release-2 docs", "tag k3f --remove docs"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.argument("names", metavar="[TAG...]", nargs=-1, type=TextParam(), shell_complete=tags)
@click.option("--remove", is_flag=True, help="Remove these tags.")
@json_option("Print the run object.")
@everywhere()
def tag(run: str, names: tuple[str, ...], remove: bool, as_json: bool) -> int:
    """Add tags to a run; without TAG, list its tags.

    Tags are in lower case. `ls tag:TAG` lists the runs with a tag.
    """
    from tui.cli.support import session

    if remove and not names:
        raise click.UsageError("Name the tags to remove.")
    return session.start(_tag(run, names, remove=remove, as_json=as_json))


@click.command(epilog=examples("note @last 'Waits for the new API'", "note k3f ''", "note k3f"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.argument("text", metavar="[TEXT]", required=False, type=TextParam())
@json_option("Print the run object.")
@everywhere()
def note(run: str, text: str | None, as_json: bool) -> int:
    """Set the note of a run; without TEXT, print it. An empty TEXT removes it.

    `-` reads the note from stdin.
    """
    from tui.cli.support import session

    text = read_stdin() if text == "-" else text
    return session.start(_note(run, text, as_json=as_json))


async def _tag(name: str, names: tuple[str, ...], *, remove: bool, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        run = await engine.find(name)
        if names:
            added, removed = ((), names) if remove else (names, ())
            (run,) = await engine.annotations.tag([run.id], added, removed)
    shown = " ".join(run.tags)
    return _print(
        engine, run, shown if not names else f"{run.id} {shown or 'has no tags'}", as_json
    )


async def _note(name: str, text: str | None, *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        run = await engine.find(name)
        if text is not None:
            run = await engine.annotations.note(run.id, text)
    shown = "note set" if run.note else "note removed"
    return _print(engine, run, run.note if text is None else f"{run.id} {shown}", as_json)


def _print(engine: EnginePort, run: Run, words: str, as_json: bool) -> int:
    from engine.domain.run_json import run_json

    if as_json:
        output.say_json(run_json(run, time.time(), cost=engine.costs.of_run))
    elif words:
        output.say(words)
    return 0
