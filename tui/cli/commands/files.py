"""`files`, `get`, `artifacts`: what lies in a run's workspace, and what it saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.domain.errors import user_error
from engine.system.files import expanded
from tui.cli.support import output
from tui.cli.support.options import (
    FileParam,
    RunArgument,
    RunParam,
    WorkspacePathParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.shown_names import first_found
from tui.cli.support.workspace_files import artifacts_json, entries_json

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


@click.command(epilog=examples("files @last", "files @last src --json"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.argument("path", type=WorkspacePathParam(), default="")
@json_option("Print the entries as one JSON array.")
@everywhere()
def files(run: str, path: str, as_json: bool) -> int:
    """List a folder of a run's workspace."""
    from tui.cli.support import session

    return session.start(_files(run, path.strip("/"), as_json=as_json))


async def _files(run: str, path: str, *, as_json: bool) -> int:
    from tui import formatting
    from tui.cli.support import session

    async with session.open_engine() as engine:
        _, entries = await first_found(path, lambda name: engine.workspaces.folder(run, name))
        await _warn(engine, run)
    if as_json:
        output.say_json(entries_json(entries))
        return 0
    for entry in entries:
        size = "" if entry.is_folder else formatting.size(entry.size_bytes or 0)
        mark = "/" if entry.is_folder else "@" if entry.is_link else ""
        output.say(f"{size:>9}  {entry.name}{mark}")
    return 0


@click.command(epilog=examples("get @last report.md", "get @last build/app.zip -o app.zip"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.argument("path", type=WorkspacePathParam(), is_eager=True)
@click.option(
    "-o",
    "target",
    type=FileParam(),
    default="-",
    metavar="FILE",
    help="Write to this file or folder; - is stdout.",
)
@everywhere()
def get(run: str, path: str, target: str) -> int:
    r"""Fetch a file from a run's workspace; links are not followed.

    Write a name that is not UTF-8 as `files` prints it: 'caf\xe9.txt'.
    """
    from tui.cli.support import session

    return session.start(_get(run, path.strip("/"), target))


async def _get(run: str, path: str, target: str) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        path, data = await first_found(path, lambda name: engine.workspaces.read(run, name))
        await _warn(engine, run)
    if target != "-":
        from engine.system.output_file import write_into

        write_into(expanded(target), Path(path).name, data)
    else:
        output.say_content(data)
    return 0


async def _warn(engine: EnginePort, run: str) -> None:
    """Warn on stderr where it is not known which of these files the run changed."""
    if (await engine.workspaces.check(await engine.find(run))).has_unknown_changes:
        output.say_aside(user_error("CHANGES_UNKNOWN").message)


@click.command(epilog=examples("artifacts @last", "artifacts @last --json"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@json_option("Print them as one JSON array.")
@everywhere()
def artifacts(run: str, as_json: bool) -> int:
    """List the files that a run saved beside its workspace, with their paths."""
    from tui.cli.support import session

    return session.start(_artifacts(run, as_json=as_json))


async def _artifacts(name: str, *, as_json: bool) -> int:
    from tui import formatting
    from tui.cli.support import session

    async with session.open_engine() as engine:
        found = await artifacts_json(engine, name)
    if as_json:
        output.say_json(found)
        return 0
    for one in found:
        output.say(f"{formatting.size(one['bytes']):>9}  {one['path']}")
    return 0
