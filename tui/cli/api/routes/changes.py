"""Operations on changes of runs: diff, patch, compare, checkpoints and restore."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import Annotated, Any, BinaryIO

from litestar import Request, Response, get, post
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from engine.domain.errors import user_error
from engine.engine import ApplyMode, Changes, OpenFile
from tui.cli.api.answers import as_shape
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.downloads import ANSWERS, BYTES, Download, download
from tui.cli.api.encoding import JsonResponse
from tui.cli.api.parameters import RunId, texts_of_query
from tui.cli.api.requests import MAX_NUMBER, Number
from tui.cli.api.scopes import ADMIN, READ
from tui.cli.json import CheckpointJson, ComparisonJson, DiffJson, RestoredJson
from tui.cli.json.base import Shape
from tui.cli.support import session
from tui.cli.support.change_results import (
    changes_json,
    checkpoints_json,
    restored_json,
    select_paths,
    stat_lines,
)
from tui.cli.support.run_comparison import comparison_json, task_of_runs
from tui.cli.support.shown_names import all_meant

Asked = Request[Any, Any, Any]
STAT = "text/plain"
DIFF = "text/x-diff"


class DiffFormat(StrEnum):
    """The form of a diff: objects, a line for each file, or the unified diff."""

    JSON = "json"
    STAT = "stat"
    PATCH = "patch"


@dataclass
class DiffOperation(Operation):
    """The description of `diff`, whose answer has three media types."""

    def __post_init__(self) -> None:
        """Add the media types beside JSON."""
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            for name in (STAT, DIFF):
                answer.content[name] = OpenAPIMediaType(Schema(type=OpenAPIType.STRING))


Since = Annotated[
    int, QueryParameter(ge=0, le=MAX_NUMBER, description="first checkpoint; 0: as created")
]
Until = Annotated[
    int | None,
    QueryParameter(ge=0, le=MAX_NUMBER, description="last checkpoint; without it, as it is now"),
]
Form = Annotated[
    DiffFormat,
    QueryParameter(name="format", description="objects, a line for each file, or a unified diff"),
]
Against = Annotated[
    str | None, QueryParameter(description="a run whose workspace to compare with instead")
]
Paths = Annotated[
    list[str] | None,
    QueryParameter(name="path", description="only this file or folder; several are possible"),
]


@get(
    "/runs/{run:str}/diff",
    opt=READ,
    operation_id="diff_run",
    summary="Show the changes of a run",
    tags=["changes"],
    operation_class=DiffOperation,
)
async def diff_run(
    run: RunId,
    request: Asked,
    context: Context,
    since: Since = 0,
    until: Until = None,
    against: Against = None,
    path: Paths = None,
    form: Form = DiffFormat.JSON,
) -> Response[DiffJson]:
    """Return what a run changed: as JSON, as lines of text, or as a unified diff.

    `against` compares with the workspace of another run; checkpoints do not go with it.
    """
    del path  # read below with all its bytes
    diff = _Diff(context, run, since, until, against, texts_of_query(request, "path"))
    if form is DiffFormat.PATCH:
        return as_shape(Response[DiffJson], await diff.patch(request))
    changes = await diff.changes()
    if form is DiffFormat.STAT:
        text = "\n".join(stat_lines(changes)) + "\n"
        return as_shape(Response[DiffJson], Response(text, media_type=STAT))
    return JsonResponse(as_shape(DiffJson, changes_json(changes)))


@get(
    "/runs/{run:str}/patch",
    opt=READ,
    operation_id="download_patch",
    summary="Download changes as a patch for git",
    tags=["changes"],
    media_type=BYTES,
    responses=ANSWERS,
)
async def download_patch(run: RunId, request: Asked, context: Context) -> Download:
    """Return the changes as `apply --as patch` prints them, with binary files."""

    async def write(file: BinaryIO) -> None:
        await context.engine.workspaces.apply(run, ApplyMode.PATCH, patch=file)

    return as_shape(Download, await _written(context, request, f"{run}.patch", write))


@get(
    "/runs/{run:str}/compare",
    opt=READ,
    operation_id="compare_runs",
    summary="Compare runs side by side",
    tags=["changes"],
)
async def compare_runs(
    run: RunId,
    context: Context,
    other: Annotated[
        list[str] | None, QueryParameter(max_items=100, description="another run to compare")
    ] = None,
) -> list[ComparisonJson]:
    """Return the runs, the best first, with the reason and the changed files.

    Without `other`, all runs of its task are compared.
    """
    engine = context.engine
    task = await task_of_runs(engine, await session.find_all(engine, [run, *(other or [])]))
    return as_shape(list[ComparisonJson], [await comparison_json(engine, task)])


@get(
    "/runs/{run:str}/checkpoints",
    opt=READ,
    operation_id="list_checkpoints",
    summary="List the checkpoints of a run",
    tags=["changes"],
)
async def list_checkpoints(run: RunId, context: Context) -> list[CheckpointJson]:
    """Return the states of the workspace that can be restored; 0 is the first."""
    found = await context.engine.workspaces.checkpoints(run)
    return as_shape(list[CheckpointJson], checkpoints_json(found))


class RestoreRequest(Shape):
    """The checkpoint to restore."""

    checkpoint: Annotated[Number, Meta(description="its number; 0: as created")]


@post(
    "/runs/{run:str}/restore",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="restore_run",
    summary="Restore a workspace to a checkpoint",
    tags=["changes"],
)
async def restore_run(run: RunId, data: JSONBody[RestoreRequest], context: Context) -> RestoredJson:
    """Put a workspace back to a checkpoint; the present state is kept as a new one."""
    done = await context.engine.workspaces.restore(run, data.checkpoint)
    return as_shape(RestoredJson, restored_json(done))


class _Diff:
    """A request for a diff."""

    def __init__(
        self,
        context: ApiContext,
        run: str,
        since: int,
        until: int | None,
        against: str | None,
        paths: list[str],
    ) -> None:
        if against is not None and (since or until is not None):
            message = "Workspaces of two runs are compared as they are, not at checkpoints."
            raise user_error("INPUT_INVALID", message, "Leave out `since` and `until`.")
        self._context = context
        self._run = run
        self._since = since
        self._until = until
        self._against = against
        self._paths = [path.strip("/") for path in paths if path.strip("/")]

    async def changes(self) -> Changes:
        workspaces = self._context.engine.workspaces
        if self._against is not None:
            found = (await workspaces.compare_runs(self._run, self._against)).changes
        else:
            found = await workspaces.changes(self._run, self._since, self._until)
        return select_paths(found, self._paths)

    async def patch(self, request: Asked) -> Response[Any]:
        return await _written(self._context, request, f"{self._run}.diff", self._write, DIFF)

    async def _write(self, file: BinaryIO) -> None:
        workspaces, paths = self._context.engine.workspaces, all_meant(self._paths)
        if self._against is not None:
            await workspaces.write_run_diff(self._run, self._against, file, paths)
        else:
            await workspaces.write_diff(self._run, file, self._since, self._until, paths)


async def _written(
    context: ApiContext,
    request: Asked,
    name: str,
    write: Callable[[BinaryIO], Awaitable[None]],
    media_type: str = BYTES,
) -> Response[Any]:
    """Send what `write` writes, once all of it is there: half a diff looks like a whole one."""
    with TemporaryFile(dir=context.engine.paths.home) as file:
        await write(file)
        await asyncio.to_thread(file.flush)
        return download(request, OpenFile(os.dup(file.fileno()), name), media_type)


HANDLERS = [diff_run, download_patch, compare_runs, list_checkpoints, restore_run]
