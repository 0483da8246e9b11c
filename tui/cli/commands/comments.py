"""`swarm-tui comment` and `swarm-tui comments`: comments on lines of a run's files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.comment_texts import add_comment, located_json, numbered_comments
from tui.cli.support.options import (
    NumberParam,
    RunArgument,
    RunParam,
    TextParam,
    WorkspacePathParam,
    everywhere,
    examples,
    json_option,
    read_stdin,
)

if TYPE_CHECKING:
    from engine.engine import LocatedComment

# The last colon counts: names may hold others, and newlines.
_PLACE = re.compile(r"(?P<path>.+):(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9}))?", re.DOTALL)


@click.command(
    epilog=examples(
        "comment @last src/prices.py:12 'Round half to even'",
        "comment k3f README.md:3-8 - < comment.md",
        "comment k3f parser.py:40 --old 'Why was this removed?'",
    )
)
@click.argument("run", metavar="RUN", type=RunParam())
@click.argument("place", metavar="FILE:LINE[-END]", type=WorkspacePathParam())
@click.argument("text", metavar="TEXT", type=TextParam())
@click.option("--old", is_flag=True, help="Comment on the file before the run's changes.")
@json_option("Print the comment.")
@everywhere()
def comment(run: str, place: str, text: str, old: bool, as_json: bool) -> int:
    """Comment on lines of a file of a run; the lines are kept with the comment.

    `resume RUN --comments` sends all comments to the agent, as one message. `-` reads TEXT from
    stdin.
    """
    from tui.cli.support import session

    found = _PLACE.fullmatch(place)
    if found is None:
        raise click.UsageError("Name the lines after the file, such as a.py:12 or a.py:12-15.")
    first = int(found["first"])
    lines = first, int(found["last"] or first)
    text = read_stdin() if text == "-" else text
    return session.start(_comment(run, found["path"], lines, text, is_old=old, as_json=as_json))


@click.command(
    epilog=examples(
        "comments @last",
        "comments k3f --json",
        "comments k3f 2 --edit 'Use the helper in utils.py'",
        "comments k3f --remove 1 3",
    )
)
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.argument("numbers", metavar="[N...]", nargs=-1, type=NumberParam(min=1))
@click.option("--edit", type=TextParam(), metavar="TEXT", help="Replace the text of comment N.")
@click.option("--remove", is_flag=True, help="Remove the comments N.")
@json_option("Print the comments as one JSON array.")
@everywhere()
def comments(
    run: str, numbers: tuple[int, ...], edit: str | None, remove: bool, as_json: bool
) -> int:
    """List the comments on a run, all or those numbered N, by file and line.

    A comment that was sent and is edited is sent again. With --edit, `-` reads TEXT from stdin.
    """
    from tui.cli.support import session

    if remove and edit is not None:
        raise click.UsageError("--edit and --remove exclude each other.")
    if remove and not numbers:
        raise click.UsageError("Number the comments to remove.")
    if edit is not None and len(numbers) != 1:
        raise click.UsageError("Number the one comment to edit.")
    text = read_stdin() if edit == "-" else edit
    return session.start(_comments(run, numbers, text, remove=remove, as_json=as_json))


async def _comment(
    name: str, path: str, lines: tuple[int, int], text: str, *, is_old: bool, as_json: bool
) -> int:
    from engine.domain.run_json import comment_json
    from tui.cli.support import session

    async with session.open_engine() as engine:
        run = await engine.find(name)
        made = await add_comment(engine, run.id, path, lines, text, is_old=is_old)
    if as_json:
        output.say_json(comment_json(made))
    else:
        output.say(f"{run.id} comment {made.n} on {made.place}")
    return 0


async def _comments(
    name: str, numbers: tuple[int, ...], text: str | None, *, remove: bool, as_json: bool
) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        if remove:
            await engine.comments.remove((await engine.find(name)).id, numbers)
        elif text is not None:
            await engine.comments.edit((await engine.find(name)).id, numbers[0], text)
        wanted = await numbered_comments(engine, name, () if remove else numbers)
    _print(wanted, as_json=as_json)
    return 0


def _print(found: Sequence[LocatedComment], *, as_json: bool) -> None:
    if as_json:
        output.say_json(located_json(found))
    else:
        output.say("\n".join(line for one in found for line in _lines(one)) or "no comments")


def _lines(one: LocatedComment) -> Iterable[str]:
    comment = one.comment
    marks = [] if comment.is_open else ["sent"]
    if one.line is None:
        marks.append("the lines have changed since")
    elif one.line != comment.first:
        marks.append(f"now line {one.line}")
    yield f"{comment.n}  {comment.place}{''.join(f' · {mark}' for mark in marks)}"
    yield from (f"   > {line}" for line in comment.quoted.split("\n"))
    yield from (f"   {line}" for line in comment.text.split("\n"))
