"""`swarm-tui codex`: the thread of a run, opened in interactive Codex."""

from __future__ import annotations

import sys

import click

from tui.cli.support import output
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    everywhere,
    examples,
    has_ended,
)


@click.command(epilog=examples("codex @last", "codex k3f"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam(has_ended))
@everywhere()
def codex(run: str) -> int:
    """Open the thread of an ended run in interactive Codex, on this terminal.

    It starts in the run's workspace, with its sandbox, settings and environment. The run cannot be
    started until you leave Codex; what changed there is then a checkpoint of the run.
    """
    from tui.cli.support import session

    return session.start(_codex(run))


async def _codex(name: str) -> int:
    from engine.domain.errors import user_error
    from engine.system import programs
    from tui.cli.support import session

    if not output.is_terminal(sys.stdin, sys.stdout):
        raise user_error("NOT_A_TERMINAL")
    async with session.open_engine() as engine:
        run = await engine.find(name)
        async with engine.threads.open(run.id) as program:
            code = await programs.lend_terminal(
                program.argv, program.folder, program.env, program.base
            )
    if code:
        output.say_aside(f"Codex ended with exit code {code}.")
    output.say_aside(f"The changes of {run.id} are recorded: `swarm-tui diff {run.id}`.")
    return 0
