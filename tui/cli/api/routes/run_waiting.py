"""Operations that wait for the end of runs."""

from __future__ import annotations

import asyncio
from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from engine.domain.errors import user_error
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run
from tui.cli.api.answers import changed
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.parameters import RunId
from tui.cli.api.scopes import READ
from tui.cli.json import RunJson
from tui.cli.support import session

LONGEST_S = 600.0
Timeout = Annotated[
    float,
    QueryParameter(ge=0, le=LONGEST_S, description="wait for so many seconds at most"),
]
NeedsInput = Annotated[
    bool, QueryParameter(description="return also when an agent asks for something")
]


@get(
    "/runs/{run:str}/wait",
    opt=READ,
    operation_id="wait_for_run",
    summary="Wait for the end of a run",
    tags=["runs"],
)
async def wait_for_run(
    run: RunId, context: Context, timeout_s: Timeout = 60.0, needs_input: NeedsInput = False
) -> RunJson:
    """Return a run when it has ended, or as it is when the time is over: see its `status`."""
    found = [await context.engine.find(run)]
    return (await waited(context, found, timeout_s, needs_input=needs_input))[0]


@get(
    "/wait",
    opt=READ,
    operation_id="wait_for_runs",
    summary="Wait for the end of several runs",
    tags=["runs"],
)
async def wait_for_runs(
    context: Context,
    run: Annotated[
        list[str] | None, QueryParameter(max_items=1000, description="these runs; repeatable")
    ] = None,
    batch: Annotated[str | None, QueryParameter(description="the runs of this batch")] = None,
    all: Annotated[bool, QueryParameter(description="all runs that have not ended")] = False,
    timeout_s: Timeout = 60.0,
    needs_input: NeedsInput = False,
) -> list[RunJson]:
    """Return runs when all have ended, or as they are when the time is over: see their `status`.

    Exactly one of `run`, `batch` and `all` chooses them.
    """
    if [bool(run), batch is not None, all].count(True) != 1:
        raise user_error("INPUT_INVALID", "Set exactly one of `run`, `batch` and `all`.")
    if batch is not None:
        found = await session.of_batch(context.engine, batch)
    else:
        found = await session.find_all(context.engine, run or [])
    found = await context.engine.runs(statuses=LIVE) if all else found
    return await waited(context, found, timeout_s, needs_input=needs_input)


async def waited(
    context: ApiContext, runs: list[Run], limit_s: float, *, needs_input: bool
) -> list[RunJson]:
    """Return the runs after they ended, the time is over, or the server stops."""
    await context.supervise(runs)
    names = [run.id for run in runs]
    waiting = asyncio.ensure_future(_attended_end_of(context, names, needs_input))
    stopping = asyncio.ensure_future(context.stopping.wait())
    try:
        await asyncio.wait(
            (waiting, stopping),
            timeout=min(limit_s, context.longest_wait_s),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if waiting.done():
            await waiting  # raises its error
    finally:
        waiting.cancel()
        stopping.cancel()
        await asyncio.gather(waiting, stopping, return_exceptions=True)
    view = context.engine.view.runs
    newest = [max(run, view.get(run.id, run), key=lambda one: one.seq) for run in runs]
    return await changed(context.engine, newest)


async def _attended_end_of(context: ApiContext, names: list[str], needs_input: bool) -> None:
    async with context.attendant.during():
        await _end_of(context, names, needs_input)


async def _end_of(context: ApiContext, names: list[str], needs_input: bool) -> None:
    """Wait until all of these runs have ended, or with `needs_input`, one asks for something."""
    engine = context.engine
    batches, left = engine.batches(), set(names)
    while True:
        known = {name: engine.view.runs.get(name) for name in left}
        if needs_input and any(run and run.unanswered for run in known.values()):
            return
        left = {
            name
            for name, run in known.items()
            if name not in engine.view.forgotten and (run is None or run.status in LIVE)
        }
        if not left:
            return
        engine.check_works()
        await anext(batches)


HANDLERS = [wait_for_run, wait_for_runs]
