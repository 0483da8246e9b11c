"""`swarm-tui logs`: the work of runs, as events or as the agent wrote it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

import click

from tui.cli.support import output
from tui.cli.support.attempt_output import attempts, nothing_written, read_piece
from tui.cli.support.options import (
    RunArgument,
    RunParam,
    bookkeeping_option,
    everywhere,
    examples,
    json_option,
    live_option,
)

if TYPE_CHECKING:
    from engine.domain.events import Event
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort
    from tui.cli.support.follow import RunDisplay, RunFollower
    from tui.cli.support.live_reports import LiveReports

PAGE = 500
LOOK_S = 0.2
"""Seconds between two looks at a file: it does not announce that it grew."""


@click.command(
    epilog=examples(
        "logs @last", "logs k3f p9d", "logs k3f --raw | jq .type", "logs @last --follow --all"
    )
)
@click.argument("runs", cls=RunArgument, metavar="RUN...", type=RunParam(), nargs=-1, required=True)
@bookkeeping_option
@click.option("--raw", is_flag=True, help="Print the agent's unchanged output of the last attempt.")
@click.option("--stderr", "errors", is_flag=True, help="Print the agent's stderr instead.")
@click.option("--setup", is_flag=True, help="Print the output of the set-up instead.")
@click.option("--verify", is_flag=True, help="Print the output of the check instead.")
@click.option("-f", "--follow", is_flag=True, help="Follow until the runs have ended.")
@live_option
@json_option("Print one event object a line.")
@everywhere()
def logs(
    runs: tuple[str, ...],
    bookkeeping: bool,
    raw: bool,
    errors: bool,
    setup: bool,
    verify: bool,
    follow: bool,
    live: bool,
    as_json: bool,
) -> int:
    """Print the full log of runs, also while they run."""
    from tui.cli.support import session

    kinds = {"raw": raw, "stderr": errors, "setup": setup, "verify": verify}
    chosen = [kind for kind, is_wanted in kinds.items() if is_wanted]
    if len(chosen) + as_json > 1:
        raise click.UsageError("--raw, --stderr, --setup, --verify and --json exclude each other.")
    if live and (chosen or not follow):
        raise click.UsageError("--live needs --follow, and the log of events.")
    run, *others = runs
    if chosen and others:
        raise click.UsageError(f"--{chosen[0]} needs a single run.")
    if chosen:
        work = _files(run, chosen[0], follow=follow)
    else:
        modes = {"as_json": as_json, "has_bookkeeping": bookkeeping}
        work = _events(runs, follow=follow, live=live, **modes)
    return session.start(session.unless_stopped(work))


async def _events(
    names: tuple[str, ...], *, follow: bool, live: bool, as_json: bool, has_bookkeeping: bool
) -> int:
    from tui.cli.support import session
    from tui.cli.support.attendant import attended
    from tui.cli.support.follow import RunFollower
    from tui.cli.support.live_reports import READ_S, LiveReports
    from tui.cli.support.output_modes import plain_lines
    from tui.cli.support.plain_lines import JsonLines

    async with session.open_engine(follow=follow) as engine:
        runs = {run.id: run for run in await session.find_all(engine, names)}
        display = (
            JsonLines()
            if as_json
            else plain_lines(runs.values(), full=True, has_bookkeeping=has_bookkeeping)
        )
        if follow:
            follower = RunFollower(engine, runs.values(), pulse_s=READ_S if live else None)
            reports = LiveReports(engine, follower) if live else None
            await attended(engine, _follow_events(follower, display, reports))
            return 0
        async for events in _stored(engine, runs):
            display.show(events, runs)
    return 0


async def _stored(engine: EnginePort, runs: Iterable[str]) -> AsyncGenerator[list[Event]]:
    """Yield the stored events of runs by their times, a page at a time; each run in its order."""
    pages = [deque(await engine.events(run, limit=PAGE)) for run in runs]
    next_at = [(page[0].at, number) for number, page in enumerate(pages) if page]
    heapify(next_at)
    ready: list[Event] = []
    while next_at:
        page = pages[number := heappop(next_at)[1]]
        ready.append(event := page.popleft())
        if not page:
            page.extend(await engine.events(event.run, after=event.seq, limit=PAGE))
        if page:
            heappush(next_at, (page[0].at, number))
        if len(ready) == PAGE:
            yield ready
            ready = []
    if ready:
        yield ready


async def _follow_events(
    follower: RunFollower, display: RunDisplay, live: LiveReports | None
) -> None:
    import asyncio

    from tui.cli.support.follow import read_live

    async for events in follower.news():
        if events:
            await asyncio.to_thread(display.show, events, dict(follower.runs))
        elif live and (reports := await read_live(live, display)):
            await asyncio.to_thread(display.show_live, reports)


async def _files(name: str, kind: str, *, follow: bool) -> int:
    from tui.cli.support import session
    from tui.cli.support.attendant import attended

    async with session.open_engine() as engine:
        run = await engine.find(name)
        if follow:
            await attended(engine, _follow_files(engine, run.id, kind))
        elif not await _print_first(engine, run, kind):
            raise nothing_written(kind)
    return 0


async def _print_first(engine: EnginePort, run: Run, kind: str) -> bool:
    """Print the first of the files to look at that is there; return whether there was one."""
    for attempt in attempts(run, kind):
        if await _print_from(engine, run.id, attempt, kind, 0) is not None:
            return True
    return False


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

    done_bytes = 0
    while True:
        piece = await read_piece(engine, run_id, attempt, kind, start + done_bytes)
        if not piece:
            return None if piece is None and not done_bytes else done_bytes
        done_bytes += len(piece)
        await asyncio.to_thread(output.say_content, piece)
