"""Operations on runs: list, start, show, fork."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.datastructures import ResponseHeader
from litestar.params import JSONBody, QueryParameter

from engine.domain.model import Run
from tui.cli.api.answers import changed, listed, shown
from tui.cli.api.bodies import ForkRequest
from tui.cli.api.clients import may_trust
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.encoding import JsonResponse
from tui.cli.api.pages import LINK, Cursor, Limit, next_link
from tui.cli.api.parameters import RunId
from tui.cli.api.run_filters import RunFilter, StatusFilter, selection
from tui.cli.api.scopes import READ, RUN
from tui.cli.api.start_keys import REPLAYED, StartKeyHeader, start_key, start_once
from tui.cli.json import ListedRunJson, RunJson, ShownRunJson
from tui.cli.support.run_request import RunRequest, to_spec
from tui.cli.support.run_selection import RunOrder

NO_HEADERS: Mapping[str, str] = {}
LOCATION = ResponseHeader(
    name="Location", description="the run", documentation_only=True, required=False
)


@get(
    "/runs",
    opt=READ,
    operation_id="list_runs",
    summary="List runs",
    tags=["runs"],
    response_headers=[LINK],
)
async def list_runs(
    request: Request[Any, Any, Any],
    context: Context,
    filter: RunFilter = None,
    status: Annotated[
        list[StatusFilter] | None,
        QueryParameter(description="only runs with one of these; needs-you: it needs attention"),
    ] = None,
    project: Annotated[str | None, QueryParameter(description="only runs of this project")] = None,
    batch: Annotated[str | None, QueryParameter(description="only runs of this batch")] = None,
    archived: Annotated[bool, QueryParameter(description="list the archived runs")] = False,
    since: Annotated[
        str | None,
        QueryParameter(description="only runs created since then: 2h, 3d, HH:MM or a date"),
    ] = None,
    sort: Annotated[RunOrder, QueryParameter(description="the order of the runs")] = (
        RunOrder.NEWEST
    ),
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response[list[ListedRunJson]]:
    """Return a page of runs, newest first unless `sort` is set. Archived runs are left out.

    The header `Link` leads to the next page. Runs that are started meanwhile move no page.
    """
    filters = {"statuses": status or [], "project": project, "batch": batch}
    chosen = selection(filters, filter, since, sort, archived=archived)
    runs, following = await chosen.page(context.engine, limit, cursor)
    found = await listed(context.engine, runs)
    return JsonResponse(found, headers=next_link(request, following))


@post(
    "/runs",
    opt=RUN,
    operation_id="start_run",
    summary="Start a run",
    tags=["runs"],
    response_headers=[LOCATION],
)
async def start_run(
    data: JSONBody[RunRequest],
    request: Request[Any, Any, Any],
    context: Context,
    idempotency_key: StartKeyHeader = None,
) -> Response[RunJson]:
    """Start a run in the background. It needs a workspace: the path of its source, or `empty`.

    Paths are those of the machine that serves the API. Trust is needed in the repository's settings
    and its template, as they are now: `trust: true` needs the scope admin.
    With a `parent` it is requested for that run, and has at most its rights. The same request, sent
    again with its `Idempotency-Key`, starts nothing more.
    """
    engine, key = context.engine, start_key(request, idempotency_key, data)

    async def start() -> str:
        async with context.starting if data.parent else nullcontext():
            spec = await to_spec(engine, data, may_trust=may_trust(request))
            return (await engine.start(spec, key)).id

    id, is_replayed = await start_once(engine, key, start)
    return await _started(context, await engine.find(id), REPLAYED if is_replayed else {})


@get("/runs/{run:str}", opt=READ, operation_id="show_run", summary="Show a run", tags=["runs"])
async def show_run(run: RunId, context: Context) -> ShownRunJson:
    """Return the details of a run; RUN is its id, or a unique beginning or end of it."""
    engine = context.engine
    found = await engine.workspaces.check(await engine.find(run))
    return await shown(engine, found)


@post(
    "/runs/{run:str}/fork",
    opt=RUN,
    operation_id="fork_run",
    summary="Fork a run",
    tags=["runs"],
    response_headers=[LOCATION],
)
async def fork_run(run: RunId, data: JSONBody[ForkRequest], context: Context) -> Response[RunJson]:
    """Start a run on copies of an ended run's workspace and thread, which stay as they are."""
    original = await context.engine.find(run)
    made = await context.engine.forks.fork(original.id, data.prompt, data.change)
    return await _started(context, made)


async def _started(
    context: ApiContext, run: Run, headers: Mapping[str, str] = NO_HEADERS
) -> Response[RunJson]:
    """Return a new run as the answer of the operation that started it."""
    await context.supervise([run])
    (found,) = await changed(context.engine, [run])
    headers = {"Location": f"/v1/runs/{run.id}", **headers}
    return JsonResponse(found, status_code=201, headers=headers)


HANDLERS = [list_runs, start_run, show_run, fork_run]
