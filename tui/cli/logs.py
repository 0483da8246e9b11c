"""`swarm-tui logs`: what a run did, as events or as its agent wrote it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.domain.errors import user_error
from engine.domain.text import printable
from tui.cli import output
from tui.cli.options import everywhere, examples

PIECE_BYTES = 1 << 20


@click.command(epilog=examples("logs @last", "logs 0f3 --raw | jq .type"))
@click.argument("run", metavar="RUN")
@click.option("--raw", is_flag=True, help="The agent's own lines of the last attempt, unchanged.")
@click.option("--stderr", "errors", is_flag=True, help="What the agent wrote to stderr instead.")
@everywhere()
def logs(run: str, raw: bool, errors: bool) -> int:
    """Print all that a run did, output in full."""
    from tui.cli import session

    return session.start(_logs(run, raw, errors))


async def _logs(name: str, raw: bool, errors: bool) -> int:
    from tui.cli import session
    from tui.cli.lines import event_lines

    async with session.open_engine() as engine:
        run = await engine.find(name)
        if raw or errors:
            folder = engine.paths.attempt(run.id, run.attempt)
            _pour(folder.stderr if errors else folder.stdout)
            return 0
        seen = 0
        while events := await engine.events(run.id, after=seen, limit=500):
            seen = events[-1].seq
            output.say(
                "\n".join(line for event in events for line in event_lines(event, full=True))
            )
    return 0


def _pour(path: Path) -> None:
    """Print a file as it is, or made harmless for a terminal."""
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                if sys.stdout.isatty():
                    piece = printable(piece.decode("utf-8", "replace")).encode()
                output.say_bytes(piece)
    except FileNotFoundError:
        raise user_error(
            "RUN_NOT_FOUND", "This attempt has written nothing yet.", "Wait until it has begun."
        ) from None
