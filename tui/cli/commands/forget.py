"""`swarm-tui forget`: remove runs with their records, files and workspaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tui.cli.support import failure, output
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    everywhere,
    examples,
    has_ended,
    json_option,
)

if TYPE_CHECKING:
    from engine.engine import ForgetPlan

STOPPED = "Stopped: no run was forgotten."


@click.command(epilog=examples("forget @last", "forget k3f p9d --yes"))
@click.argument(
    "runs", cls=RunArgument, metavar="RUN...", nargs=-1, required=True, type=RunParam(has_ended)
)
@click.option(
    "--force",
    "--including-unsaved",
    "including_unsaved",
    is_flag=True,
    help="Forget runs with unsaved work, too; the trash keeps their workspaces.",
)
@click.option("-y", "--yes", is_flag=True, help="Forget without asking.")
@json_option("Print the ids of the forgotten runs.")
@everywhere()
def forget(runs: tuple[str, ...], including_unsaved: bool, yes: bool, as_json: bool) -> int:
    """Remove ended runs with their logs, files and comments. This cannot be undone.

    Their workspaces go to the trash, as with `cleanup`. Codex's own session files stay; `cleanup
    --codex` deletes them. All of the runs are forgotten or none.
    """
    from tui.cli.support import session

    force = including_unsaved
    return session.start(_forget(runs, including_unsaved=force, is_agreed=yes, as_json=as_json))


async def _forget(
    names: tuple[str, ...], *, including_unsaved: bool, is_agreed: bool, as_json: bool
) -> int:
    from tui.cli.commands.cancel import told_stopped
    from tui.cli.commands.cleanup import agreed
    from tui.cli.support import session
    from tui.cli.support.work_line import work_line

    async with session.open_engine(strict=True) as engine:
        found = [run.id for run in await session.find_all(engine, names)]
        with work_line() as line:
            line.begin("looking for work that is nowhere else")
            planned = await line.unless_stopped(engine.forgetting.plan(found, line.tell))
        if planned is None:
            return told_stopped(STOPPED)
        is_refused = planned.unsaved and not including_unsaved
        if not (is_agreed or is_refused) and not agreed(
            question(planned), "Use --yes to forget the runs without a question."
        ):
            return failure.EXIT_CANCELLED
        with work_line() as line:
            gone = await engine.forgetting.forget(
                found,
                including_unsaved=including_unsaved,
                told=line.tell_of,
                stop=lambda: line.is_stopped,
            )
    if not gone:
        return told_stopped(STOPPED)
    if as_json:
        output.say_json({"forgotten": gone})
    else:
        output.say("\n".join(f"{run} forgotten" for run in gone))
    return 0


def question(planned: ForgetPlan) -> str:
    """Return the question before runs are forgotten."""
    count, places = len(planned.runs), planned.workspaces
    which = f"the run {planned.runs[0]}" if count == 1 else f"{count} runs"
    trash = f" {places} workspace{'' if places == 1 else 's'} to the trash." if places else ""
    return f"Forget {which} for good?{trash}"
