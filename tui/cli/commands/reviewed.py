"""`swarm-tui reviewed`: the changed files of a run that are marked as reviewed."""

from __future__ import annotations

from collections.abc import Sequence

import click

from engine.domain.text import printable_name
from tui.cli.support import output
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    WorkspacePathParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.review_marks import MarkedFile, marked_files, marked_json


@click.command(
    epilog=examples(
        "reviewed @last", "reviewed k3f src/prices.py docs --mark", "reviewed k3f . --unmark"
    )
)
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.argument("paths", metavar="[PATH...]", type=WorkspacePathParam(), nargs=-1)
@click.option("--mark", is_flag=True, help="Mark these files as reviewed.")
@click.option("--unmark", is_flag=True, help="Remove the marks of these files.")
@json_option("Print the files as one JSON array.")
@everywhere()
def reviewed(run: str, paths: tuple[str, ...], mark: bool, unmark: bool, as_json: bool) -> int:
    """List the changed files of a run with their marks: reviewed or not; or set the marks.

    A folder means all changed files below it, `.` all files. A mark is gone when the file changes.
    """
    from tui.cli.support import session

    if mark and unmark:
        raise click.UsageError("--mark and --unmark exclude each other.")
    if (mark or unmark) and not paths:
        raise click.UsageError("Name the files to mark; `.` means all.")
    wanted = True if mark else False if unmark else None
    return session.start(_reviewed(run, paths, wanted, as_json=as_json))


async def _reviewed(run: str, paths: tuple[str, ...], mark: bool | None, *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        found = await marked_files(engine, run, paths, mark)
    output.say_json(marked_json(found)) if as_json else _say(found)
    return 0


def _say(found: Sequence[MarkedFile]) -> None:
    lines = [
        f"{'reviewed' if one.is_reviewed else '-':<8}  {printable_name(one.file.path)}"
        for one in found
    ]
    count = sum(one.is_reviewed for one in found)
    output.say("\n".join([*lines, f"{count} of {output.counted(len(found))} reviewed"]))
