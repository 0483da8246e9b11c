"""`swarm-tui update`: workspaces moved onto the newest commit of their base."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.domain.errors import UserError
from engine.domain.text import printable_name
from tui.cli.support import output
from tui.cli.support.change_results import (
    not_updated_json,
    update_undone_json,
    updated_json,
)
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    TextParam,
    everywhere,
    examples,
    has_ended,
    json_option,
)

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.engine import RestoreResult, UpdateReport, UpdateRequest
    from engine.ports.engine import EnginePort
    from tui.cli.support.work_line import WorkLine

CONFLICT = "UPDATE_CONFLICT"


@click.command(
    epilog=examples(
        "update @last --check", "update @last", "update k3f --resolve", "update k3f --undo"
    )
)
@click.argument(
    "runs", cls=RunArgument, metavar="RUN...", nargs=-1, required=True, type=RunParam(has_ended)
)
@click.option("--check", is_flag=True, help="Only check for conflicts; exit code 1 if there are.")
@click.option("--resolve", is_flag=True, help="Resume the run to resolve conflicts.")
@click.option("--undo", is_flag=True, help="Undo the last update.")
@click.option("--base", type=TextParam(), metavar="REF", help="Move onto this branch or commit.")
@click.option("--fetch", is_flag=True, help="Fetch the base from its remote first.")
@json_option("Print one object for each run.")
@everywhere()
def update(runs: tuple[str, ...], as_json: bool, **asked: Any) -> int:  # noqa: ANN401  click passes options by name
    """Move workspaces of ended runs onto the newest commit of their base.

    A checkpoint is taken first. A conflict changes nothing and names the files; with --resolve the
    files get conflict markers, and the agent is asked to resolve them.
    """
    from tui.cli.support import session

    if asked["undo"] and (asked["check"] or asked["resolve"] or asked["base"] or asked["fetch"]):
        raise click.UsageError("--undo takes no other option.")
    if asked["check"] and asked["resolve"]:
        raise click.UsageError("--check changes nothing: it does not go with --resolve.")
    return session.start(_update(runs, asked, as_json=as_json))


async def _update(names: tuple[str, ...], asked: dict[str, Any], *, as_json: bool) -> int:
    from tui.cli.support import session

    async with session.open_engine(strict=True) as engine:
        found = await session.find_all(engine, names)
        if len(found) == 1:
            return 0 if await _one(engine, found[0], asked, None, as_json=as_json) else 1
        return await update_many(engine, found, asked, as_json=as_json)


async def update_many(
    engine: EnginePort, runs: Sequence[Run], asked: dict[str, Any], *, as_json: bool
) -> int:
    """Update runs, one after another; a signal ends the work after the present one."""
    from tui.cli.commands.cancel import told_stopped
    from tui.cli.support.work_line import work_line

    work = "undoing" if asked["undo"] else "checking" if asked["check"] else "updating"
    done: list[bool] = []
    with work_line() as line:
        for run in runs:
            line.tell_of(work, len(done), len(runs))
            if line.is_stopped:
                left = len(runs) - len(done)
                return told_stopped(f"Stopped after {len(done)} of {len(runs)}; {left} left alone.")
            done.append(await _each(engine, run, asked, line, as_json=as_json))
    return 0 if all(done) else 1


async def _each(
    engine: EnginePort, run: Run, asked: dict[str, Any], line: WorkLine, *, as_json: bool
) -> bool:
    """Update one of several runs; an error is its result, and the others go on."""
    try:
        return await _one(engine, run, asked, line, as_json=as_json)
    except UserError as error:
        line.clear()
        if as_json:
            output.say_json(not_updated_json(run, error))
        else:
            output.say(f"{run.id} {error.code}: {error.message}")
        return False


async def _one(
    engine: EnginePort, run: Run, asked: dict[str, Any], line: WorkLine | None, *, as_json: bool
) -> bool:
    """Update a run and print the result, on its own or with the line of the work on several."""
    from engine.engine import UpdateRequest

    wanted = UpdateRequest(asked["base"], asked["fetch"])
    if asked["undo"]:
        done = await engine.updates.undo(run.id)
        _clear(line)
        _say_undone(run, done, as_json=as_json)
        return True
    if asked["check"]:
        report = await engine.updates.check(run.id, wanted)
    elif asked["resolve"]:
        report = await _resolve(engine, run, wanted)
    else:
        report = await _updated(engine, run, wanted, asks=line is None and not as_json)
    _clear(line)
    is_done = not asked["check"]
    if as_json:
        output.say_json(updated_json(report, is_done=is_done))
    else:
        _say(report, is_done=is_done)
    return is_done or not report.conflicts


def _clear(line: WorkLine | None) -> None:
    if line:
        line.clear()


async def _updated(
    engine: EnginePort, run: Run, wanted: UpdateRequest, *, asks: bool
) -> UpdateReport:
    """Update a run; on a terminal, offer to hand a conflict to its agent."""
    try:
        return await engine.updates.update(run.id, wanted)
    except UserError as error:
        is_asked = asks and output.is_terminal(sys.stdin, sys.stderr)
        if error.code != CONFLICT or not is_asked:
            raise
        output.say_aside(error.message)
        if not click.confirm("Hand the conflict to its agent?", err=True):
            raise
    return await _resolve(engine, run, wanted)


async def _resolve(engine: EnginePort, run: Run, wanted: UpdateRequest) -> UpdateReport:
    from tui.cli.support import session

    report = await engine.updates.resolve(run.id, wanted)
    if report.is_resumed:
        session.go_on(engine.paths)  # a supervisor has to start the agent
    return report


async def resolve(engine: EnginePort, run: Run, *, as_json: bool) -> None:
    """Hand the conflict of an apply to the run's agent, and print the result."""
    from engine.engine import UpdateRequest

    report = await _resolve(engine, run, UpdateRequest())
    if as_json:
        output.say_json(updated_json(report, is_done=True))
    else:
        _say(report, is_done=True)


def _say_undone(run: Run, done: RestoreResult, *, as_json: bool) -> None:
    if as_json:
        output.say_json(update_undone_json(run.id, done))
    else:
        hint = f"`swarm-tui restore {run.id} --checkpoint {done.undo.n}` reverts that"
        output.say(f"{run.id} update undone: {output.counted(len(done.files))}; {hint}")


def _say(report: UpdateReport, *, is_done: bool) -> None:
    run, base = report.run.id, report.base
    commits = f"{report.commits} commit{'' if report.commits == 1 else 's'}"
    listed = ", ".join(f"{printable_name(one.path)} ({one.why})" for one in report.conflicts)
    files = output.counted(len(report.files))
    if not report.is_news and not report.is_resumed:
        output.say(f"{run} is at the newest commit of {base}, {report.new[:10]}")
    elif report.conflicts and not is_done:
        output.say(f"{run} conflicts with {base}: {listed}")
    elif is_done:
        output.say(f"{run} updated to {base} {report.new[:10]}: {commits}, {files}")
    else:
        output.say(f"{run} would be updated to {base} {report.new[:10]}: {commits}, {files}")
    if report.is_resumed:
        output.say(f"{run} resumed: its agent resolves {listed or 'the conflicts left'}")
    if report.markers:
        output.say_aside(f"{run}: conflict markers are left in {', '.join(report.markers)}")
    if report.without_content:
        output.say_aside(f"{run}: {report.without_content}")
    if report.left:
        output.say_aside(f"left as they are, set them with git: {', '.join(report.left)}")
