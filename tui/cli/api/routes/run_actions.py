"""Operations that end runs, or let them go on: cancel, retry, resume, start past the pace."""

from __future__ import annotations

from litestar import post
from litestar.params import JSONBody

from engine.domain.errors import user_error
from engine.domain.model import Run
from tui.cli.api.answers import changed
from tui.cli.api.bodies import (
    CancelRequest,
    CancelRunsRequest,
    ResumeRequest,
    RetryRequest,
    RetryRunsRequest,
    RunsRequest,
)
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.parameters import RunId
from tui.cli.api.scopes import RUN
from tui.cli.json import RunJson
from tui.cli.support import session
from tui.cli.support.run_actions import FollowUp, to_cancel, to_retry


@post(
    "/runs/{run:str}/cancel",
    opt=RUN,
    operation_id="cancel_run",
    summary="Cancel a run",
    tags=["runs"],
    status_code=200,
)
async def cancel_run(
    run: RunId, context: Context, data: JSONBody[CancelRequest | None] = None
) -> RunJson:
    """Stop a run: SIGTERM, then SIGKILL after the grace time; its workspace stays."""
    engine, how = context.engine, data or CancelRequest()
    (found,), _ = await to_cancel(engine, [run], None, kill=how.kill, children=how.children)
    if how.children:
        done = await engine.cancel_all([found.id], kill=how.kill, children=True)
    else:
        done = [await engine.cancel(found.id, kill=how.kill)]
    await context.supervise(done)  # a supervisor has to end them
    return (await changed(engine, [await engine.find(found.id)]))[0]


@post(
    "/cancel",
    opt=RUN,
    operation_id="cancel_runs",
    summary="Cancel several runs",
    tags=["runs"],
    status_code=200,
)
async def cancel_runs(data: JSONBody[CancelRunsRequest], context: Context) -> list[RunJson]:
    """Stop the runs that are named, those of a batch, or all that have not ended.

    The answer has those that were cancelled. Runs that are named must not have ended.
    """
    if [bool(data.runs), data.all, data.batch is not None].count(True) != 1:
        raise user_error("INPUT_INVALID", "Set exactly one of `runs`, `all` and `batch`.")
    kill, children = data.kill, data.children
    runs, _ = await to_cancel(context.engine, data.runs, data.batch, kill=kill, children=children)
    found = await context.engine.cancel_all([run.id for run in runs], kill=kill, children=children)
    await context.supervise(found)
    return await changed(context.engine, found)


@post(
    "/runs/{run:str}/retry",
    opt=RUN,
    operation_id="retry_run",
    summary="Retry a run",
    tags=["runs"],
    status_code=200,
)
async def retry_run(
    run: RunId, context: Context, data: JSONBody[RetryRequest | None] = None
) -> RunJson:
    """Start the next attempt of a run that has ended, in its workspace and thread.

    With `prompt` it has a new thread, and with `fresh` a new workspace, too.
    """
    found = await to_retry(context.engine, [run], None)
    return (await _retried(context, found, data or RetryRequest()))[0]


@post(
    "/retry",
    opt=RUN,
    operation_id="retry_runs",
    summary="Retry several runs",
    tags=["runs"],
    status_code=200,
)
async def retry_runs(data: JSONBody[RetryRunsRequest], context: Context) -> list[RunJson]:
    """Start the next attempt of the runs that are named, or of all that failed."""
    if bool(data.runs) == data.failed:
        raise user_error("INPUT_INVALID", "Set either `runs` or `failed`.")
    if data.batch and not data.failed:
        raise user_error("INPUT_INVALID", "`batch` goes with `failed`.")
    return await _retried(context, await to_retry(context.engine, data.runs, data.batch), data)


@post(
    "/runs/{run:str}/resume",
    opt=RUN,
    operation_id="resume_run",
    summary="Resume a run with a message",
    tags=["runs"],
    status_code=200,
)
async def resume_run(run: RunId, data: JSONBody[ResumeRequest], context: Context) -> RunJson:
    """Continue the thread of a run that has ended with a message, or with the comments on it."""
    found = await context.engine.find(run)
    follow_up = FollowUp(data.message, data.comments)
    follow_up.check(found)
    return await _done(context, await follow_up.send(context.engine, found.id, data.change))


@post(
    "/runs/{run:str}/start",
    opt=RUN,
    operation_id="start_held_run",
    summary="Start a queued run past the pace",
    tags=["runs", "queue"],
    status_code=200,
)
async def start_held_run(run: RunId, context: Context) -> RunJson:
    """Allow a queued run to ignore a reserve of the account and starts that are spread.

    It still waits for a slot, for the runs that it needs and for the end of a pause.
    """
    return (await _start_past_pace(context, [run]))[0]


@post(
    "/queue/start",
    opt=RUN,
    operation_id="start_held_runs",
    summary="Start queued runs past the pace",
    tags=["queue"],
    status_code=200,
)
async def start_held_runs(data: JSONBody[RunsRequest], context: Context) -> list[RunJson]:
    """Allow queued runs to ignore a reserve of the account and starts that are spread."""
    return await _start_past_pace(context, data.runs)


async def _retried(context: ApiContext, runs: list[Run], request: RetryRequest) -> list[RunJson]:
    if request.prompt is not None and not request.prompt.strip():
        raise user_error("INPUT_INVALID", "`prompt` is empty.")
    queued = [
        await context.engine.retry(
            run.id, prompt=request.prompt, fresh=request.fresh, change=request.change
        )
        for run in runs
    ]
    await context.supervise(queued)
    return await changed(context.engine, queued)


async def _start_past_pace(context: ApiContext, names: list[str]) -> list[RunJson]:
    found = [run.id for run in await session.find_all(context.engine, names)]
    runs = await context.engine.annotations.start_past_pace(found)
    await context.supervise(runs)
    return await changed(context.engine, runs)


async def _done(context: ApiContext, run: Run) -> RunJson:
    """Return a run that a supervisor has to act on, and ensure that there is one."""
    await context.supervise([run])
    return (await changed(context.engine, [run]))[0]


HANDLERS = [
    cancel_run,
    cancel_runs,
    retry_run,
    retry_runs,
    resume_run,
    start_held_run,
    start_held_runs,
]
