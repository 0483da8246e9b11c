"""`swarm-tui patterns`: what worked, and what came of the runs that learned from it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from engine.domain.pattern import StoredPattern
from engine.system.files import expanded
from tui.cli.support import argument_completion, output
from tui.cli.support.colours import COLOURS
from tui.cli.support.library_json import pattern_json
from tui.cli.support.named_paths import here
from tui.cli.support.options import (
    ChoiceParam,
    FileParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

WHAT = ("list", "show", "export", "import", "edit", "rm", "undo")
NAMELESS = ("list", "undo")


@click.command(
    epilog=examples(
        "patterns",
        "patterns show p3f",
        "patterns export p3f -o pattern.yaml",
        "patterns import pattern.yaml",
    )
)
@click.argument("what", type=ChoiceParam(WHAT), default="list", metavar="[WHAT]")
@click.argument(
    "name",
    type=TextParam(),
    required=False,
    metavar="[PATTERN|FILE]",
    shell_complete=argument_completion.pattern_or_file,
)
@click.option(
    "-o", "--output", "into", type=FileParam(), metavar="FILE", help="Export to this file."
)
@json_option("Print JSON: an array of patterns with list, else the one.")
@everywhere()
def patterns(what: str, name: str | None, into: str | None, as_json: bool) -> int:
    """List, show, export, import, edit or remove patterns of successful runs.

    PATTERN is any unique beginning of its id. Later runs never change patterns that you edited or
    imported. undo restores the last removed pattern.
    """
    from tui.cli.support import session

    if (name is None) != (what in NAMELESS):
        needs = "no name" if what in NAMELESS else "a file" if what == "import" else "a pattern"
        raise click.UsageError(f"{what} takes {needs}.")
    if into and what != "export":
        raise click.UsageError("-o goes with export.")
    return session.start(_patterns(what, name or "", into, as_json=as_json))


async def _patterns(what: str, name: str, into: str | None, *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        if what == "list":
            found = await engine.patterns.all()
            if as_json:
                output.say_json([pattern_json(known) for known in found])
            else:
                _tell(found, time.time())
            return 0
        if what == "export" and not as_json:
            await _export(engine, name, into)
            return 0
        known = await _done(engine, what, name)
    if as_json:
        output.say_json(pattern_json(known))
    elif what == "show":
        _show(known)
    else:
        done = {"import": "kept", "edit": "kept", "rm": "removed", "undo": "back"}[what]
        output.say(f"{known.id} {done}: {known.pattern.goal}")
    return 0


async def _done(engine: EnginePort, what: str, name: str) -> StoredPattern:
    match what:
        case "import":
            return await engine.patterns.save_file(here() / expanded(name))
        case "edit":
            return await _edit(engine, name)
        case "rm":
            return await engine.patterns.remove(name)
        case "undo":
            return await engine.patterns.bring_back()
        case _:
            return await engine.patterns.find(name)


async def _export(engine: EnginePort, name: str, into: str | None) -> None:
    text = await engine.patterns.export(name)
    if into is None or into == "-":
        output.say(text.rstrip())
    else:
        await engine.patterns.write(text, here() / expanded(into))


async def _edit(engine: EnginePort, name: str) -> StoredPattern:
    from engine.domain.errors import user_error
    from engine.system import programs

    if not output.is_terminal(sys.stdin, sys.stdout):
        raise user_error(
            "NOT_A_TERMINAL",
            "The editor needs a terminal.",
            "Use `swarm-tui patterns export`, then `import`.",
        )
    path = await engine.patterns.begin_edit(name)
    await programs.edit(path)
    return await engine.patterns.end_edit(name, path)


def _tell(found: Sequence[StoredPattern], now: float) -> None:
    from tui import formatting

    if not found and output.is_terminal(sys.stderr):
        output.say_aside("There are no patterns yet: a run that succeeds leaves one.")
    for known in found:
        runs, used = len(known.runs), len(known.used_by)
        age = formatting.age(now - known.changed_at)
        facts = f"{age:>3}  from {runs:>2}  used {used:>2}  {formatting.rate(known.with_it):>4}"
        output.say(f"{known.id}  {facts}  {known.pattern.goal}")


def _show(known: StoredPattern) -> None:
    from tui import formatting

    output.say_styled(
        [[(text, COLOURS.get(tone))] for text, tone in formatting.pattern_lines(known)]
    )
