"""`swarm-tui resume`: a run that has ended goes on with a message."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.options import (
    RunParam,
    TextParam,
    everywhere,
    examples,
    full_option,
    has_ended,
    json_option,
    read_stdin,
)

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort


@click.command(
    epilog=examples(
        "resume @last 'Now add a test for it'", "resume k3f --detach - < review.md", "resume @last"
    )
)
@click.argument("run", metavar="RUN", type=RunParam(has_ended))
@click.argument("message", metavar="[MESSAGE]", required=False, type=TextParam())
@click.option("-d", "--detach", is_flag=True, help="Print the id and return; the run continues.")
@full_option
@json_option("Print one event object a line, or with --detach the run object; nothing else.")
@everywhere()
def resume(run: str, message: str | None, detach: bool, full: bool, as_json: bool) -> int:
    """Continue the Codex thread of a run that has ended with MESSAGE, and follow it.

    `-` reads the message from stdin. Without MESSAGE, your editor opens on a terminal.
    """
    from tui.cli.support import session

    if message is None:
        if not output.is_terminal(sys.stdin, sys.stdout):
            raise click.UsageError("Add a MESSAGE, or - to read it from stdin.")
        run = session.run(_check(run)).id  # before the user writes a message
        message = session.run(_write())
    elif message == "-":
        message = read_stdin()
    return session.start(_resume(run, message, detach=detach, full=full, as_json=as_json))


async def _write() -> str:
    """Return the message that the user writes in the editor."""
    from engine.system import programs

    with tempfile.TemporaryDirectory(prefix="swarm-tui-") as folder:
        path = Path(folder) / "message.md"
        path.touch()
        await programs.edit(path)
        return path.read_text("utf-8", "replace")


async def _resume(name: str, message: str, *, detach: bool, full: bool, as_json: bool) -> int:
    from tui.cli.support import foreground, session

    async with session.open_engine(strict=True, follow=not detach, supervise=not detach) as engine:
        run = await _resumable(engine, name)
        queued = await engine.resume(run.id, message)
        if not detach:
            since = {run.id: run.seq}
            return await foreground.carry_or_leave(
                engine, [queued], since, as_json=as_json, full=full
            )
        await foreground.detach(engine, [queued], as_json=as_json)
    return 0


async def _check(name: str) -> Run:
    from tui.cli.support import session

    async with session.open_engine(strict=True) as engine:
        return await _resumable(engine, name)


async def _resumable(engine: EnginePort, name: str) -> Run:
    """Find the run, and raise `UserError` if it cannot be resumed."""
    from engine.domain import requests

    run = await engine.find(name)
    requests.resume(run, "")
    return run
