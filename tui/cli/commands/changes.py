"""`diff`, `apply`, `restore`: the changes of a run, shown, applied or restored."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from engine.domain.errors import UserError
from engine.domain.text import escaped, printable_name
from engine.system.files import expanded, real_path
from tui.cli.support import output
from tui.cli.support.options import (
    ChoiceParam,
    FolderParam,
    NumberParam,
    RunArgument,
    RunParam,
    TextParam,
    WorkspacePathParam,
    everywhere,
    examples,
    json_option,
)
from tui.cli.support.shown_names import all_meant

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.engine import Changes, FileDelta
    from engine.ports.engine import EnginePort

HOW = ("edits", "commit", "merge", "patch")


@click.command(epilog=examples("diff @last", "diff @last --stat", "diff @last --checkpoint 2"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.argument("paths", metavar="[PATH...]", type=WorkspacePathParam(), nargs=-1)
@click.option("--stat", is_flag=True, help="Show only files and numbers of lines.")
@click.option(
    "--checkpoint", type=NumberParam(min=0), metavar="N", help="Show changes up to checkpoint N."
)
@json_option("Print the changed files as one JSON object.")
@everywhere()
def diff(
    run: str, paths: tuple[str, ...], stat: bool, checkpoint: int | None, as_json: bool
) -> int:
    """Show the changes of a run since its workspace was created, committed or not."""
    from tui.cli.support import session

    return session.start(_diff(run, paths, checkpoint, stat=stat, as_json=as_json))


async def _diff(
    run: str, paths: tuple[str, ...], checkpoint: int | None, *, stat: bool, as_json: bool
) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        if stat or as_json:
            changes = await engine.workspaces.changes(run, until=checkpoint)
            output.say_json(_changes_json(changes)) if as_json else _say_stat(changes)
            return 0
        # Nothing is printed before all of it is there: half a diff looks like a whole one.
        with TemporaryFile(dir=engine.paths.home) as file:
            paths = tuple(all_meant(paths))
            await engine.workspaces.write_diff(run, file, until=checkpoint, paths=paths)
            file.seek(0)
            _say_diff(file)
    return 0


def _say_diff(file: BinaryIO) -> None:
    if not sys.stdout.isatty():
        output.say_file(file)
        return
    colours = {"+": "green", "-": "red", "@": "cyan"}
    while text := b"".join(file.readlines(output.PIECE_BYTES)):
        lines = escaped(text.decode("utf-8", "surrogateescape")).splitlines()
        output.say_styled([(line, colours.get(line[:1]))] for line in lines)


def _changes_json(changes: Changes) -> dict[str, Any]:
    files = [
        {
            "path": printable_name(file.path),
            "old_path": None if file.old_path is None else printable_name(file.old_path),
            "change": file.kind.value,
            "insertions": file.insertions,
            "deletions": file.deletions,
            "binary": file.binary,
            "type": "submodule" if file.is_submodule else "link" if file.is_link else "file",
            "old_commit": file.old_commit,
            "commit": file.commit,
        }
        for file in changes.files
    ]
    return {**asdict(changes.total), "changes": files, "left_out": list(changes.left_out)}


def _say_stat(changes: Changes) -> None:
    for file in changes.files:
        name = printable_name(file.path)
        if file.old_path is not None:
            name = f"{printable_name(file.old_path)} → {name}"
        lines = "binary" if file.binary else f"+{file.insertions} −{file.deletions}"
        if file.is_submodule:
            lines, name = "submodule", f"{name} {_commits(file)}"
        output.say(f"{file.kind.value:<9} {lines:>12}  {name}")
    total = changes.total
    output.say(f"{output.counted(total.files)}, +{total.insertions} −{total.deletions}")
    for path in changes.left_out:
        output.say_aside(f"left out, not readable: {printable_name(path)}")


def _commits(file: FileDelta) -> str:
    """Return the commits of a submodule, before and after."""
    old, new = (commit[:10] if commit else "none" for commit in (file.old_commit, file.commit))
    return old if old == new else f"{old} → {new}"


@click.command(
    epilog=examples(
        "apply @last --check", "apply @last", "apply @last --as merge", "apply @last --undo"
    )
)
@click.argument("runs", cls=RunArgument, metavar="RUN...", type=RunParam(), nargs=-1, required=True)
@click.option(
    "--as",
    "how",
    type=ChoiceParam(HOW),
    default="edits",
    help="Apply as edits in the working tree (default), a commit on the run's branch, a merge into "
    "the current branch, or a patch on stdout.",
)
@click.option(
    "--to", type=FolderParam(), metavar="DIR", help="Apply to this folder instead of the source."
)
@click.option("--message", "-m", type=TextParam(), default="", help="Set the commit message.")
@click.option(
    "--check", is_flag=True, help="Only check whether the changes apply; exit code 1 if not."
)
@click.option(
    "--undo", is_flag=True, help="Undo the last apply as edits, if the source has not changed."
)
@json_option("Print one object for each run.")
@everywhere()
def apply(runs: tuple[str, ...], as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Apply the changes of runs to their source; a conflict changes nothing and names the files.

    Several runs are applied in order, up to the first conflict. Your own uncommitted
    work is never overwritten. --undo puts back all files that the last apply of a run changed.
    """
    from tui.cli.support import session

    undo = asked.pop("undo")
    if undo:
        if asked["check"] or asked["to"] or asked["message"] or asked["how"] != HOW[0]:
            raise click.UsageError("--undo takes no other option.")
        return session.start(_undo(runs, as_json=as_json))
    return session.start(_apply(runs, asked, as_json=as_json))


async def _apply(names: tuple[str, ...], asked: dict[str, Any], *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        found = await session.find_all(engine, names)
        fits = await apply_all(engine, found, asked, as_json=as_json)
    return 0 if fits else 1


async def _undo(names: tuple[str, ...], *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine() as engine:
        # What was applied last is undone first.
        found = await session.find_all(engine, names)
        found.sort(key=lambda run: run.applied.at if run.applied else 0.0, reverse=True)
        for run in found:
            done = await engine.workspaces.undo_apply(run.id)
            files = [printable_name(path) for path in done.files]
            if as_json:
                output.say_json({"run": run.id, "undone": True, "to": done.to, "files": files})
            else:
                count, where = output.counted(len(files)), printable_name(done.to)
                output.say(f"{run.id} undone: {count} in {where}")
    return 0


async def apply_all(
    engine: EnginePort, runs: Sequence[Run], asked: dict[str, Any], *, as_json: bool
) -> bool:
    """Apply the changes of runs to their source, one after another; return whether all fit."""
    fits = True
    for place, run in enumerate(runs):
        try:
            fits &= await _apply_one(engine, run.id, asked, as_json=as_json)
        except UserError as error:
            if len(runs) > 1:  # with one, everybody knows which it is
                so_far = "" if asked["check"] else _so_far(place, len(runs) - place - 1)
                error.message = f"{run.id}: {error.message}{so_far}"
            raise
    if asked["check"] and len(runs) > 1:
        output.say_aside(
            "Each was checked alone: one after another, what builds on an earlier one may fit,"
            " and what changes the same lines may not."
        )
    return fits


def _so_far(before: int, after: int) -> str:
    """Return what became of the other runs when one could not be applied."""
    done = f" Applied before it, and kept: {before}." if before else ""
    return f"{done} Not tried: {after}." if after else done


async def _apply_one(engine: EnginePort, run: str, asked: dict[str, Any], *, as_json: bool) -> bool:
    """Apply the changes of one run to its source, print the result, and return whether it fits."""
    from engine.engine import ApplyMode

    to = asked["to"] and str(real_path(expanded(asked["to"])))
    how, check = ApplyMode(asked["how"]), asked["check"]
    wanted: dict[str, Any] = {"to": to, "message": asked["message"]}
    if how is ApplyMode.PATCH and not check and not as_json:
        with TemporaryFile(dir=engine.paths.home) as file:
            await engine.workspaces.apply(run, how, **wanted, patch=file)
            file.seek(0)
            output.say_file(file)
        return True
    done = await engine.workspaces.apply(run, how, **wanted, check=check)
    names = [printable_name(path) for path in done.files]
    clashes = [{"path": printable_name(clash.path), "why": clash.why} for clash in done.clashes]
    if as_json:
        output.say_json(
            {
                "run": run,
                "applied": done.fits and not asked["check"],
                "fits": done.fits,
                "files": names,
                "submodules_left": [printable_name(path) for path in done.links_left],
                "conflicts": clashes,
                "commit": done.commit,
                "branch": done.branch,
                "merged_into": done.into,
                "signed": done.signed,
                "hooks_run": None if done.signed is None else False,
            }
        )
    elif done.fits:
        from tui.formatting.applied import committed

        verb = "would apply" if asked["check"] else "applied"
        files = output.counted(len(names)) if names else "nothing new"
        where = committed(done, asked["how"])
        output.say(f"{run} {verb}: {files}{f', {where}' if where else ''}")
        _say_left(done.links_left)
    else:
        listed = ", ".join(f"{clash['path']} ({clash['why']})" for clash in clashes)
        output.say(f"{run} does not fit: {listed}")
    return done.fits


def _say_left(submodules: Sequence[str]) -> None:
    """Print the submodules whose commit edits did not bring."""
    if submodules:
        names = ", ".join(map(printable_name, submodules))
        output.say_aside(
            f"Edits do not set the commit of a submodule: {names}. Use --as commit or --as merge."
        )


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
    from engine.domain.events import iso
    from tui.cli.support import session

    async with session.open_engine() as engine:
        if n is None:
            found = await engine.workspaces.checkpoints(run)
            rows = [{"n": one.n, "at": iso(one.at), "stage": one.message} for one in found]
            lines = "\n".join(f"{row['n']:>4}  {row['at']}  {row['stage']}" for row in rows)
            output.say_json(rows) if as_json else output.say(lines or "no checkpoints yet")
            return 0
        done = await engine.workspaces.restore(run, n)
    names = [printable_name(path) for path in done.files]
    if as_json:
        output.say_json({"files": names, "undo": done.undo.n})
    else:
        output.say(
            f"{output.counted(len(names))} put back; `--checkpoint {done.undo.n}` takes that back"
        )
    return 0
