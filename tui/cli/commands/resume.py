"""`swarm-tui resume`: a run that has ended goes on with a message."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.domain.errors import UserError
from engine.domain.run_names import SHORTEST
from tui.cli.support import output
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    TextParam,
    everywhere,
    examples,
    full_option,
    has_ended,
    json_option,
    read_stdin,
)
from tui.cli.support.run_options import mode_change, mode_options

if TYPE_CHECKING:
    from tui.cli.support.run_actions import FollowUp


@click.command(
    epilog=examples(
        "resume @last 'Now add a test for it'",
        "resume k3f p9d 'Rebase onto main'",
        "resume k3f --detach - < review.md",
        "resume k3f p9d",
        "resume k3f --interactive 'Ask me before you use the network'",
        "resume k3f --comments",
    )
)
@click.argument(
    "words",
    cls=RunArgument,
    metavar="RUN... [MESSAGE]",
    nargs=-1,
    required=True,
    type=RunParam(has_ended),
)
@click.option(
    "-m",
    "--message",
    type=TextParam(),
    metavar="TEXT",
    help="Send this message; all other words are runs.",
)
@mode_options
@click.option(
    "--comments",
    "sends_comments",
    is_flag=True,
    help="Send the comments on each run as one message; MESSAGE begins it.",
)
@click.option("-d", "--detach", is_flag=True, help="Print the ids and return; the runs continue.")
@full_option
@json_option("Print one event object a line, or with --detach the run objects; nothing else.")
@everywhere()
def resume(
    words: tuple[str, ...],
    message: str | None,
    sends_comments: bool,
    as_json: bool,
    **asked: Any,  # noqa: ANN401  click passes options by name
) -> int:
    """Continue the Codex threads of runs that have ended with MESSAGE, and follow them.

    `-` reads the message from stdin. Without MESSAGE, your editor opens on a terminal.
    """
    from tui.cli.support import session
    from tui.cli.support.run_actions import FollowUp

    names, message = session.run(_split(words, message))
    if message is None and not sends_comments:
        if not output.is_terminal(sys.stdin, sys.stdout):
            raise click.UsageError("Add a MESSAGE, or - to read it from stdin.")
        names = session.run(_check(names))  # before the user writes a message
        message = session.run(_write())
    elif message == "-":
        message = read_stdin()
    follow_up = FollowUp(message or "", sends_comments)
    return session.start(_resume(names, follow_up, asked, as_json=as_json))


async def _split(words: tuple[str, ...], message: str | None) -> tuple[list[str], str | None]:
    """Return the names of the runs, and the message if there is one: the last of several words.

    A last word that names a run is not taken for a message: the editor opens.
    """
    if message is not None or len(words) == 1:
        return list(words), message
    *names, last = words
    return (list(words), None) if await _is_run(last) else (names, last)


async def _is_run(word: str) -> bool:
    from tui.cli.support import session

    if len(word) < SHORTEST or not word.lstrip("@").isalnum():
        return False
    async with session.open_engine(quiet=True) as engine:
        try:
            await engine.find(word)
        except UserError:
            return False
        return True


async def _write() -> str:
    """Return the message that the user writes in the editor."""
    from engine.system import programs

    with tempfile.TemporaryDirectory(prefix="swarm-tui-") as folder:
        path = Path(folder) / "message.md"
        path.touch()
        await programs.edit(path)
        return path.read_text("utf-8", "replace")


async def _resume(
    names: Sequence[str], message: FollowUp, asked: dict[str, Any], *, as_json: bool
) -> int:
    from tui.cli.support import foreground, session

    detach, change = asked["detach"], mode_change(asked)
    async with session.open_engine(strict=True, follow=not detach, supervise=not detach) as engine:
        runs = await session.find_all(engine, names)
        for run in runs:
            message.check(run)
        queued = [await message.send(engine, run.id, change) for run in runs]
        if not detach:
            since = {run.id: run.seq for run in runs}
            return await foreground.carry_or_leave(
                engine, queued, since, as_json=as_json, full=asked["full"]
            )
        await foreground.detach(engine, queued, as_json=as_json)
    return 0


async def _check(names: Sequence[str]) -> list[str]:
    """Return the ids of the runs; raises `UserError` if one of them cannot be resumed."""
    from tui.cli.support import session
    from tui.cli.support.run_actions import FollowUp

    async with session.open_engine(strict=True) as engine:
        runs = await session.find_all(engine, names)
        for run in runs:
            FollowUp("").check(run)
        return [run.id for run in runs]
