"""`swarm-tui logs`: what a run did, as events or as its agent wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from engine.domain.errors import user_error
from tui.cli.support import output
from tui.cli.support.options import RunArgument, RunParam, everywhere, examples, json_option

if TYPE_CHECKING:
    from engine.domain.events import Event
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort
    from tui.cli.support.follow import RunFollower

PIECE_BYTES = 1 << 20
NOTHING = {"setup": "There was no set-up", "verify": "There was no check"}
LOOK_S = 0.2
"""Seconds between two looks at a file: it does not announce that it grew."""


@click.command(epilog=examples("logs @last", "logs k3f --raw | jq .type", "logs @last --follow"))
@click.argument("run", cls=RunArgument, metavar="RUN", type=RunParam())
@click.option("--raw", is_flag=True, help="Print the agent's unchanged output of the last attempt.")
@click.option("--stderr", "errors", is_flag=True, help="Print the agent's stderr instead.")
@click.option("--setup", is_flag=True, help="Print the output of the set-up instead.")
@click.option("--verify", is_flag=True, help="Print the output of the check instead.")
@click.option("-f", "--follow", is_flag=True, help="Follow until the run has ended.")
@json_option("Print one event object a line.")
@everywhere()
def logs(
    run: str, raw: bool, errors: bool, setup: bool, verify: bool, follow: bool, as_json: bool
) -> int:
    """Print the full log of a run, also while it runs."""
    from tui.cli.support import session

    kinds = {"raw": raw, "stderr": errors, "setup": setup, "verify": verify}
    chosen = [kind for kind, is_wanted in kinds.items() if is_wanted]
    if len(chosen) + as_json > 1:
        raise click.UsageError("--raw, --stderr, --setup, --verify and --json exclude each other.")
    if chosen:
        work = _files(run, chosen[0], follow=follow)
    else:
        work = _events(run, follow=follow, as_json=as_json)
    return session.start(session.unless_stopped(work))


async def _events(name: str, *, follow: bool, as_json: bool) -> int:
    from tui.cli.support import session
    from tui.cli.support.attendant import attended
    from tui.cli.support.follow import RunFollower

    async with session.open_engine(follow=follow) as engine:
        run = await engine.find(name)
        if follow:
            await attended(engine, _follow_events(RunFollower(engine, [run]), as_json=as_json))
            return 0
        seen = 0
        while events := await engine.events(run.id, after=seen, limit=500):
            seen = events[-1].seq
            _tell(events, as_json=as_json)
    return 0


async def _follow_events(follower: RunFollower, *, as_json: bool) -> None:
    import asyncio

    async for events in follower.news():
        await asyncio.to_thread(_tell, events, as_json=as_json)


def _tell(events: list[Event], *, as_json: bool) -> None:
    from engine.domain.events import event_json
    from tui.cli.support.plain_lines import event_lines, is_beginning

    if as_json:
        output.say_json(*map(event_json, events))
        return
    told = (event for event in events if not is_beginning(event))
    if lines := [line for event in told for line in event_lines(event, full=True)]:
        output.say("\n".join(lines))


async def _files(name: str, kind: str, *, follow: bool) -> int:
    from tui.cli.support import session
    from tui.cli.support.attendant import attended

    async with session.open_engine() as engine:
        run = await engine.find(name)
        if follow:
            await attended(engine, _follow_files(engine, run.id, kind))
        elif not await _print_first(engine, run, kind):
            what = NOTHING.get(kind, "This attempt has written nothing")
            raise user_error(
                "RUN_NOT_FOUND", f"{what} yet.", "Wait until it has begun, or use --follow."
            )
    return 0


async def _print_first(engine: EnginePort, run: Run, kind: str) -> bool:
    """Print the first of the files to look at that is there; return whether there was one."""
    for attempt in _attempts(run, kind):
        if await _print_from(engine, run.id, attempt, kind, 0) is not None:
            return True
    return False


def _attempts(run: Run, kind: str) -> Iterable[int]:
    """Return the attempts to look at, the last one first: not each has its own set-up and check."""
    return range(run.attempt, 0 if kind in NOTHING else run.attempt - 1, -1)


async def _follow_files(engine: EnginePort, run_id: str, kind: str) -> None:
    """Print the file of the last attempt as it grows, and then those of the attempts after it."""
    import asyncio

    from engine.domain.lifecycle import LIVE

    attempt = (await engine.find(run_id)).attempt
    done_bytes = 0
    while True:
        run = await engine.find(run_id)  # before the file: what it wrote at its end is read, too
        done_bytes += await _print_from(engine, run_id, attempt, kind, done_bytes) or 0
        if run.attempt > attempt:
            attempt, done_bytes = attempt + 1, 0
        elif run.status not in LIVE:
            return
        else:
            await asyncio.sleep(LOOK_S)


async def _print_from(
    engine: EnginePort, run_id: str, attempt: int, kind: str, start: int
) -> int | None:
    """Print a file from a place on, as it is or made harmless for a terminal.

    Return how many bytes that were; None where there is no such file.
    """
    import asyncio

    from engine.engine import AttemptFile, AttemptPart, AttemptRef

    part = {"setup": AttemptPart.SETUP, "verify": AttemptPart.VERIFY}.get(kind, AttemptPart.AGENT)
    file = AttemptFile.STDERR if kind == "stderr" else AttemptFile.OUTPUT
    ref, done_bytes = AttemptRef(run_id, attempt, part), 0
    while True:
        piece = await engine.read_attempt(ref, file, start + done_bytes, PIECE_BYTES)
        if not piece:
            return None if piece is None and not done_bytes else done_bytes
        done_bytes += len(piece)
        await asyncio.to_thread(output.say_content, piece)
