"""Operations on batches: list, start, show, compare and report."""

from __future__ import annotations

import time
from contextlib import nullcontext
from http import HTTPStatus
from typing import Annotated, Any, Literal

from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, QueryParameter

from engine.domain.batch_json import export, results_json
from engine.domain.errors import user_error
from engine.domain.ranking import tasks
from tui.cli.api.answers import as_shape
from tui.cli.api.clients import may_trust
from tui.cli.api.context import Context
from tui.cli.api.encoding import JsonResponse
from tui.cli.api.pages import LINK, Cursor, Limit, next_link
from tui.cli.api.scopes import READ, RUN
from tui.cli.api.start_keys import REPLAYED, StartKeyHeader, start_key, start_once
from tui.cli.json import BatchJson, BatchPlanJson, BatchResultsJson, ComparisonJson
from tui.cli.support.batch_request import BatchStartRequest, plan_batch
from tui.cli.support.batch_state import plan_json, state_json
from tui.cli.support.run_comparison import comparison_json

BatchId = Annotated[
    str, PathParameter(name="batch", description="id of a batch, its unique beginning, or @last")
]
ReportFormat = Annotated[
    Literal["md", "csv", "json"],
    QueryParameter(name="format", description="Markdown, CSV or JSON"),
]
MEDIA_TYPES = {"md": "text/markdown", "csv": "text/csv", "json": "application/json"}
Asked = Request[Any, Any, Any]


@get(
    "/batches",
    opt=READ,
    operation_id="list_batches",
    summary="List the batches",
    tags=["batches"],
    response_headers=[LINK],
)
async def list_batches(
    request: Asked, context: Context, limit: Limit = 100, cursor: Cursor = None
) -> Response[list[BatchJson]]:
    """Return the batches, newest first. The header `Link` leads to the next page."""
    engine, known = context.engine, await context.engine.swarms.all()
    first = 0
    if cursor is not None:
        ids = [batch.id for batch in known]
        if cursor not in ids:
            raise user_error("BATCH_NOT_FOUND", "The batch at which the page begins is missing.")
        first = ids.index(cursor)
    page, rest = known[first : first + limit], known[first + limit :]
    found = [await state_json(engine, batch) for batch in page]
    headers = next_link(request, rest[0].id if rest else None)
    return JsonResponse(as_shape(list[BatchJson], found), headers=headers)


@post(
    "/batches",
    opt=RUN,
    operation_id="start_batch",
    summary="Start a batch, or plan it",
    tags=["batches"],
    status_code=201,
    responses={
        200: ResponseSpec(
            BatchPlanJson, generate_examples=False, description="the plan, with `dry_run`"
        )
    },
)
async def start_batch(
    data: JSONBody[BatchStartRequest],
    request: Asked,
    context: Context,
    idempotency_key: StartKeyHeader = None,
) -> Response[BatchJson]:
    """Start a run for each row × each value of a matrix × each copy: all of them, or none.

    Paths are those of the machine that serves the API. Requests of repositories and templates
    have to be trusted: `trust: true` needs the scope admin. With `dry_run` nothing is started.
    The same request, sent again with its `Idempotency-Key`, starts nothing more.
    """
    engine, key = context.engine, start_key(request, idempotency_key, data)
    if data.dry_run:
        plan, consents = await plan_batch(engine, data, may_trust=may_trust(request))
        planned: Any = await plan_json(engine, plan, consents)
        return JsonResponse(planned, status_code=HTTPStatus.OK)

    async def start() -> str:
        async with context.starting if data.parent else nullcontext():
            plan, _ = await plan_batch(engine, data, may_trust=may_trust(request))
            return (await engine.swarms.start(plan, key))[0].id

    id, is_replayed = await start_once(engine, key, start)
    batch = await engine.swarms.find(id)
    await context.supervise(await engine.swarms.runs(id))
    started = as_shape(BatchJson, await state_json(engine, batch))
    headers = {"Location": f"/v1/batches/{id}", **(REPLAYED if is_replayed else {})}
    return JsonResponse(started, headers=headers)


@get(
    "/batches/{batch:str}",
    opt=READ,
    operation_id="show_batch",
    summary="Show a batch",
    tags=["batches"],
)
async def show_batch(name: BatchId, context: Context) -> BatchResultsJson:
    """Return the state of a batch and its tasks, the best run of each first."""
    engine = context.engine
    batch = await engine.swarms.find(name)
    runs = await engine.swarms.runs(batch.id)
    so_far = await engine.swarms.standing(batch.id, engine.slots)
    found = results_json(batch, so_far, runs, time.time(), engine.costs.of_run)
    return as_shape(BatchResultsJson, found)


@get(
    "/batches/{batch:str}/compare",
    opt=READ,
    operation_id="compare_batch",
    summary="Compare the runs of each task",
    tags=["batches"],
)
async def compare_batch(name: BatchId, context: Context) -> list[ComparisonJson]:
    """Return the tasks of a batch, each with its runs side by side, and their changed files."""
    engine = context.engine
    runs = await engine.swarms.runs((await engine.swarms.find(name)).id)
    ranked = tasks([await engine.workspaces.check(run) for run in runs])
    found = [await comparison_json(engine, task) for task in ranked]
    return as_shape(list[ComparisonJson], found)


@get(
    "/batches/{batch:str}/report",
    opt=READ,
    operation_id="report_batch",
    summary="Write the results of a batch",
    tags=["batches"],
    media_type="text/markdown",
    responses={
        200: ResponseSpec(
            str, generate_examples=False, media_type="text/markdown", description="the report"
        )
    },
)
async def report_batch(name: BatchId, context: Context, kind: ReportFormat = "md") -> Response[str]:
    """Return the results as a text: one line for each run, with its parameters."""
    engine = context.engine
    batch = await engine.swarms.find(name)
    runs = [await engine.workspaces.check(run) for run in await engine.swarms.runs(batch.id)]
    so_far = await engine.swarms.standing(batch.id, engine.slots)
    text = export(kind, batch, so_far, runs, time.time(), engine.costs.of_run)
    content = text.encode("utf-8", "replace")
    return as_shape(Response[str], Response(content, media_type=MEDIA_TYPES[kind]))


HANDLERS = [list_batches, start_batch, show_batch, compare_batch, report_batch]
