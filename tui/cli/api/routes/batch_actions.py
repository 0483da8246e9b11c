"""Operations that act on a whole batch: wait, cancel, retry, apply and drop."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody
from msgspec import Meta, field

from engine.engine import CleanupReport
from tui.cli.api.answers import as_shape, changed
from tui.cli.api.bodies import ModeRequest
from tui.cli.api.context import Context
from tui.cli.api.requests import RunName
from tui.cli.api.routes.applying import ApplyChangesRequest, Row, apply_one
from tui.cli.api.routes.batches import BatchId
from tui.cli.api.routes.disk import Digest, confirm
from tui.cli.api.routes.run_waiting import NeedsInput, Timeout, waited
from tui.cli.api.scopes import ADMIN, READ, RUN
from tui.cli.json import CleanupJson, RunJson
from tui.cli.json.base import Shape
from tui.cli.support import session
from tui.cli.support.batch_request import budget_of
from tui.cli.support.batch_state import plan_drop, runs_to_apply, winners
from tui.cli.support.disk_results import plan_json


class CancelBatchRequest(Shape, kw_only=True):
    """Options of the cancellation of a batch."""

    kill: Annotated[bool, Meta(description="send SIGKILL at once, without SIGTERM first")] = False


class RetryBatchRequest(ModeRequest, kw_only=True):
    """Options of the retry of a batch."""

    fresh: Annotated[bool, Meta(description="start over in new workspaces and threads")] = False
    total_budget: Annotated[
        Annotated[int, Meta(gt=0, le=10**15)] | str | None,
        Meta(description="a new limit for all runs, in tokens, money or percent as `budget`"),
    ] = None


class ApplyBatchRequest(ApplyChangesRequest, kw_only=True):
    """Options of an apply, and the runs to apply instead of the best ones."""

    runs: Annotated[
        list[RunName], Meta(max_length=1000, description="runs of the batch; empty: the best")
    ] = field(default_factory=list[str])


class DropRequest(Shape):
    """The confirmation of a plan."""

    digest: Digest


@get(
    "/batches/{batch:str}/wait",
    opt=READ,
    operation_id="wait_for_batch",
    summary="Wait for the end of a batch",
    tags=["batches"],
)
async def wait_for_batch(
    name: BatchId, context: Context, timeout_s: Timeout = 60.0, needs_input: NeedsInput = False
) -> list[RunJson]:
    """Return the runs of a batch when all have ended, or as they are when the time is over."""
    found = await session.of_batch(context.engine, name)
    return await waited(context, found, timeout_s, needs_input=needs_input)


@post(
    "/batches/{batch:str}/cancel",
    opt=RUN,
    operation_id="cancel_batch",
    summary="Cancel the runs of a batch",
    tags=["batches"],
    status_code=200,
)
async def cancel_batch(
    name: BatchId, context: Context, data: JSONBody[CancelBatchRequest | None] = None
) -> list[RunJson]:
    """Cancel the live and queued runs of a batch, and return them; workspaces stay."""
    engine, kill = context.engine, bool(data and data.kill)
    batch = await engine.swarms.find(name)
    done = await engine.swarms.cancel(batch.id, partial(engine.cancel_all, kill=kill))
    await context.supervise(done)
    return await changed(engine, done)


@post(
    "/batches/{batch:str}/retry",
    opt=RUN,
    operation_id="retry_batch",
    summary="Retry the failed runs of a batch",
    tags=["batches"],
    status_code=200,
)
async def retry_batch(
    name: BatchId, context: Context, data: JSONBody[RetryBatchRequest | None] = None
) -> list[RunJson]:
    """Retry the failed runs of a batch and those that waited for them, and return them."""
    engine, asked = context.engine, data or RetryBatchRequest()
    batch, budget = await engine.swarms.find(name), budget_of(asked.total_budget)
    if budget:
        await engine.swarms.set_budget(batch.id, budget)
    found = await engine.swarms.to_retry(batch.id)
    queued = [await engine.retry(run.id, fresh=asked.fresh, change=asked.change) for run in found]
    await context.supervise(queued)
    return await changed(engine, queued)


@post(
    "/batches/{batch:str}/apply",
    opt=ADMIN,
    operation_id="apply_batch",
    summary="Apply the best runs of a batch",
    tags=["batches"],
    status_code=200,
)
async def apply_batch(
    name: BatchId, context: Context, data: JSONBody[ApplyBatchRequest | None] = None
) -> list[Row]:
    """Apply the best run of each task that succeeded, one after another.

    Of several runs, one that does not fit is passed over, and its row has the reason.
    """
    engine, asked = context.engine, data or ApplyBatchRequest()
    chosen = await runs_to_apply(engine, await engine.swarms.find(name), asked.runs)
    is_alone = len(chosen) == 1
    return [await apply_one(context, run.id, asked, is_alone=is_alone) for run in chosen]


@post(
    "/batches/{batch:str}/drop/plan",
    opt=READ,
    operation_id="plan_batch_drop",
    summary="Plan to delete the other workspaces",
    tags=["batches"],
    status_code=200,
)
async def plan_batch_drop(name: BatchId, context: Context) -> CleanupJson:
    """Return the workspaces of runs that are not the best of their task; `digest` confirms it.

    The best runs and applied runs stay.
    """
    batch = await context.engine.swarms.find(name)
    plan, _ = await plan_drop(context.engine, batch, await winners(context.engine, batch))
    return as_shape(CleanupJson, plan_json(plan, CleanupReport()))


@post(
    "/batches/{batch:str}/drop",
    opt=ADMIN,
    operation_id="drop_batch",
    summary="Delete the other workspaces of a batch",
    tags=["batches"],
    status_code=200,
)
async def drop_batch(name: BatchId, data: JSONBody[DropRequest], context: Context) -> CleanupJson:
    """Move workspaces of runs that are not the best to the trash, as the plan with this digest.

    Unsaved work in them goes, too; `undo_cleanup` restores it. PLAN_CHANGED where the plan is
    another by now.
    """
    await context.check_settings()
    engine, batch = context.engine, await context.engine.swarms.find(name)
    plan, wish = await plan_drop(engine, batch, await winners(engine, batch))
    confirm(plan.digest, data.digest)
    stop = context.stopping.is_set
    report = await engine.disk.clean(plan, wish, stop=stop) if plan.take else CleanupReport()
    return as_shape(CleanupJson, plan_json(plan, report))


HANDLERS = [
    wait_for_batch,
    cancel_batch,
    retry_batch,
    apply_batch,
    plan_batch_drop,
    drop_batch,
]
