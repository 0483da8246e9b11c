"""`swarm-tui apply`: the changes of runs brought to their source, or the last apply undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import click

from engine.domain.apply_outcome import ApplyOutcome
from engine.domain.errors import UserError
from engine.domain.text import printable_name
from engine.system.files import expanded, real_path
from tui.cli.support import output
from tui.cli.support.change_results import applied_json, undone_json
from tui.cli.support.options import (
    ChoiceParam,
    FolderParam,
    RunArgument,
    RunParam,
    TextParam,
    everywhere,
    examples,
    json_option,
)
from tui.formatting.symbols import sign

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.engine import ApplyMode, RunApplied
    from engine.ports.engine import EnginePort
    from tui.cli.support.work_line import WorkLine

CHECKED_ALONE = (
    "Each was checked alone: one after another, what builds on an earlier one may fit,"
    " and what changes the same lines may not."
)
HOW = ("edits", "commit", "merge", "patch")
APPLYING, CHECKING, UNDOING = "applying", "checking", "undoing"
UNREAD_NAMES = 3
"""The most files named that could not be read."""


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
@click.option("--resolve", is_flag=True, help="Resume the run to resolve conflicts.")
@json_option("Print one object for each run.")
@everywhere()
def apply(runs: tuple[str, ...], as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Apply the changes of runs to their source; a conflict changes nothing and names the files.

    Several runs are applied in order; one that does not fit is passed over, and the exit code is 1.
    Your own uncommitted work is never overwritten. --undo puts back all files that the last apply
    of a run changed.
    """
    from tui.cli.support import session

    if asked["resolve"] and asked["check"]:
        raise click.UsageError("--check changes nothing: it does not go with --resolve.")
    undo, resolve = asked.pop("undo"), asked["resolve"]
    if undo:
        is_plain = asked["how"] == HOW[0] and not asked["to"]
        if asked["check"] or resolve or asked["message"] or not is_plain:
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
    from tui.cli.commands.cancel import told_stopped
    from tui.cli.support import session
    from tui.cli.support.work_line import work_line

    async with session.open_engine() as engine:
        # What was applied last is undone first.
        found = await session.find_all(engine, names)
        found.sort(key=lambda run: run.applied.at if run.applied else 0.0, reverse=True)
        with work_line() as line:
            for place, run in enumerate(found):
                looked = _looked(line, UNDOING, place, len(found))
                undoing = engine.workspaces.undo_apply(run.id, looked)
                done = await line.unless_stopped(undoing)
                line.clear()
                if done is None:
                    return told_stopped(_stopped(f"{place} of {len(found)} undone", len(found)))
                if as_json:
                    output.say_json(undone_json(run.id, done))
                else:
                    count, where = output.counted(len(done.files)), printable_name(done.to)
                    output.say(f"{run.id} undone: {count} in {where}")
    return 0


def _looked(line: WorkLine, work: str, place: int, count: int) -> Callable[[int, int], None]:
    """Return a function that shows the files of a single run; several are counted themselves."""
    line.tell_of(work, place, count if count > 1 else 0)
    return lambda done, of: line.tell_of(work, done, of) if count == 1 else None


async def apply_all(
    engine: EnginePort, runs: Sequence[Run], asked: dict[str, Any], *, as_json: bool
) -> bool:
    """Apply the changes of runs to their source, one after another; return whether all fit.

    Several runs: one that cannot be applied is passed over. Raises `UserError` for a single run.
    """
    from tui.cli.commands.cancel import told_stopped
    from tui.cli.support.work_line import work_line

    done: list[RunApplied] = []
    work = CHECKING if asked["check"] else APPLYING
    with work_line() as line:
        for place, run in enumerate(runs):
            looked = _looked(line, work, place, len(runs))
            applying = _apply_one(engine, run.id, asked, looked, as_json=as_json)
            one = await line.unless_stopped(applying)
            line.clear()
            if one is None:
                told_stopped(_stopped(_summary(done, asked, len(runs)), len(runs)))
                raise click.Abort
            await _tell(engine, one, asked, len(runs), as_json=as_json)
            done.append(one)
    if len(runs) > 1:
        output.say_aside(CHECKED_ALONE if asked["check"] else _summary(done, asked, len(runs)))
    return all(one.outcome.is_good for one in done)


def _stopped(words: str, count: int) -> str:
    return f"Stopped: {words if count > 1 else 'nothing was changed'}."


def _summary(done: Sequence[RunApplied], asked: dict[str, Any], count: int) -> str:
    """Return how many runs were applied, and how many not."""
    applied = sum(one.outcome is ApplyOutcome.APPLIED for one in done)
    conflicts = sum(one.outcome is ApplyOutcome.CONFLICT for one in done)
    skipped = sum(one.outcome is ApplyOutcome.SKIPPED for one in done)
    parts = [f"{applied} of {count} applied"]
    parts += [f"{conflicts} did not fit"] if conflicts else []
    parts += [f"{skipped} skipped"] if skipped else []
    hint = conflicts and not asked.get("resolve", True)
    return ", ".join(parts) + ("; --resolve asks the agent of each" if hint else "")


async def _apply_one(
    engine: EnginePort,
    run: str,
    asked: dict[str, Any],
    looked: Callable[[int, int], None],
    *,
    as_json: bool,
) -> RunApplied:
    """Apply the changes of one run to its source, or check them; print its patch."""
    from engine.engine import ApplyMode, ApplyOptions, apply_run

    to = asked["to"] and str(real_path(expanded(asked["to"])))
    how, check = ApplyMode(asked["how"]), asked["check"]
    options = ApplyOptions(how, to, asked["message"], check, looked=looked)
    if how is not ApplyMode.PATCH or check or as_json:
        return await apply_run(engine.workspaces, run, options)
    with TemporaryFile(dir=engine.paths.home) as file:
        done = await apply_run(engine.workspaces, run, replace(options, patch=file))
        if done.error is None:
            file.seek(0)
            output.say_file(file)
        return done


async def _tell(
    engine: EnginePort, done: RunApplied, asked: dict[str, Any], count: int, *, as_json: bool
) -> None:
    """Print the outcome of one run, or hand its conflict to its agent."""
    from engine.engine import ApplyMode

    how, check = ApplyMode(asked["how"]), asked["check"]
    if asked.get("resolve") and done.error and done.error.code == "APPLY_CONFLICT":
        await _hand_over(engine, done, count, as_json=as_json)
    elif done.error and count == 1:
        raise done.error
    elif as_json:
        output.say_json(applied_json(done, check=check))
    elif how is not ApplyMode.PATCH or check or done.error:
        _say_applied(done, how, count)


async def _hand_over(engine: EnginePort, done: RunApplied, count: int, *, as_json: bool) -> None:
    """Hand the conflict of an apply to the run's agent: its base may be newer than its files."""
    from tui.cli.commands.update import resolve

    output.say_aside(f"{done.run}: {done.error.message if done.error else ''}")
    try:
        await resolve(engine, await engine.find(done.run), as_json=as_json)
    except UserError as error:
        if count == 1:
            raise
        skipped = RunApplied(done.run, ApplyOutcome.CONFLICT, done.result, error)
        if as_json:
            output.say_json(applied_json(skipped, check=False))
        else:
            output.say(f"{sign('✗', 'x')} {done.run}: {error.message} {error.recovery}")


def _say_applied(done: RunApplied, how: ApplyMode, count: int) -> None:
    """Print the outcome of one run, with its sign where there are several."""
    from tui.formatting.applied import committed

    signs = {
        ApplyOutcome.CONFLICT: sign("✗", "x"),
        ApplyOutcome.SKIPPED: sign("–", "-"),
    }
    begin = f"{signs.get(done.outcome, sign('✓', '+'))} " if count > 1 else ""
    if done.outcome is ApplyOutcome.CONFLICT:
        listed = ", ".join(
            f"{printable_name(clash.path)} ({clash.why})".strip() for clash in done.clashes
        )
        output.say(f"{begin}{done.run} does not fit: {listed}")
        return
    if done.error:
        output.say(f"{begin}{done.run} skipped: {done.error.message}")
        return
    if done.result.is_nothing:
        unread = ", ".join(map(printable_name, done.result.left_out[:UNREAD_NAMES]))
        limits = f", as far as it could be read; not read: {unread}" if unread else ""
        output.say(f"{begin}{done.run}: nothing to apply, the run changed nothing{limits}")
        return
    names = done.result.files
    verb = "would apply" if done.outcome is ApplyOutcome.FITS else "applied"
    files = output.counted(len(names)) if names else "nothing new"
    where = committed(done.result, how)
    output.say(f"{begin}{done.run} {verb}: {files}{f', {where}' if where else ''}")
    _say_left(done.result.links_left)


def _say_left(submodules: Sequence[str]) -> None:
    """Print the submodules whose commit edits did not bring."""
    if submodules:
        names = ", ".join(map(printable_name, submodules))
        output.say_aside(
            f"Edits do not set the commit of a submodule: {names}. Use --as commit or --as merge."
        )
