"""`diff` and `restore`: the changes of a run, shown or taken back."""

from __future__ import annotations

import sys
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from engine.domain.text import escaped, printable_name
from tui.cli.support import output
from tui.cli.support.change_results import (
    changes_json,
    checkpoints_json,
    restored_json,
    select_paths,
    stat_lines,
)
from tui.cli.support.options import (
    NumberParam,
    RunArgument,
    RunParam,
    WorkspacePathParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.shown_names import all_meant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.engine import Changes
    from engine.ports.engine import EnginePort


@click.command(
    epilog=examples(
        "diff @last", "diff @last --stat", "diff @last --checkpoint 2", "diff k3f --against p9d"
    )
)
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.argument("paths", metavar="[PATH...]", type=WorkspacePathParam(), nargs=-1)
@click.option("--stat", is_flag=True, help="Show only files and numbers of lines.")
@click.option(
    "--since", type=NumberParam(min=0), metavar="N", help="Show changes since checkpoint N."
)
@click.option(
    "--checkpoint", type=NumberParam(min=0), metavar="N", help="Show changes up to checkpoint N."
)
@click.option(
    "--against", type=RunParam(), metavar="RUN", help="Compare with the workspace of this run."
)
@json_option("Print the changed files as one JSON object.")
@everywhere()
def diff(run: str, paths: tuple[str, ...], as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Show the changes of a run since its workspace was created, committed or not.

    With --against, show how its workspace differs from that of another run: `+` lines are in RUN
    only, `-` lines in the other only.
    """
    from tui.cli.support import session

    for name in ("checkpoint", "since"):
        if asked["against"] and asked[name] is not None:
            raise click.UsageError(f"--against compares workspaces as they are: not with --{name}.")
    return session.start(_diff(run, paths, asked, as_json=as_json))


async def _diff(run: str, paths: tuple[str, ...], asked: dict[str, Any], *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        if asked["stat"] or as_json:
            changes = select_paths(await _measured(engine, run, asked), paths)
            output.say_json(changes_json(changes)) if as_json else _say_stat(changes)
            return 0
        # Nothing is printed before all of it is there: half a diff looks like a whole one.
        with TemporaryFile(dir=engine.paths.home) as file:
            paths = tuple(all_meant(paths))
            left_out: tuple[str, ...] = ()
            if other := asked["against"]:
                await engine.workspaces.write_run_diff(run, other, file, paths)
            else:
                since, until = asked["since"] or 0, asked["checkpoint"]
                left_out = await engine.workspaces.write_diff(run, file, since, until, paths)
            is_same = not file.tell()
            file.seek(0)
            _say_diff(file)
    _say_left_out(left_out)
    if is_same and output.is_terminal(sys.stderr):
        output.say_aside("no differences")
    return 0


async def _measured(engine: EnginePort, run: str, asked: dict[str, Any]) -> Changes:
    if other := asked["against"]:
        return (await engine.workspaces.compare_runs(run, other)).changes
    return await engine.workspaces.changes(run, asked["since"] or 0, asked["checkpoint"])


def _say_diff(file: BinaryIO) -> None:
    if not sys.stdout.isatty():
        output.say_file(file)
        return
    colours = {"+": "green", "-": "red", "@": "cyan"}
    while text := b"".join(file.readlines(output.PIECE_BYTES)):
        lines = escaped(text.decode("utf-8", "surrogateescape")).splitlines()
        output.say_styled([(line, colours.get(line[:1]))] for line in lines)


def _say_stat(changes: Changes) -> None:
    output.say("\n".join(stat_lines(changes)))
    _say_left_out(changes.left_out)


def _say_left_out(paths: Sequence[str]) -> None:
    for path in paths:
        output.say_aside(f"left out, not readable: {printable_name(path)}")


@click.command(epilog=examples("restore @last --checkpoint 2"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.option(
    "--checkpoint",
    type=NumberParam(min=0),
    metavar="N",
    help="Restore checkpoint N; 0 is the first.",
)
@json_option("Print what was done.")
@everywhere()
def restore(run: str, checkpoint: int | None, as_json: bool) -> int:
    """Restore a workspace to a checkpoint (0: as created); this can be undone, too.

    Without --checkpoint, list the checkpoints. The current state is kept as a new checkpoint.
    """
    from tui.cli.support import session

    return session.start(_restore(run, checkpoint, as_json=as_json))


async def _restore(run: str, n: int | None, *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        if n is None:
            found = await engine.workspaces.checkpoints(run)
            rows = checkpoints_json(found)
            lines = "\n".join(f"{row['n']:>4}  {row['at']}  {row['stage']}" for row in rows)
            output.say_json(rows) if as_json else output.say(lines or "no checkpoints yet")
            return 0
        done = await engine.workspaces.restore(run, n)
    if as_json:
        output.say_json(restored_json(done))
    else:
        count = output.counted(len(done.files))
        output.say(f"{count} put back; `--checkpoint {done.undo.n}` takes that back")
    return 0
