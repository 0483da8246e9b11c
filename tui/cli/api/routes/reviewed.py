"""Operations on the files of runs that are marked as reviewed: list and mark."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta

from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.parameters import RunId, texts_of_query
from tui.cli.api.requests import FilePathText
from tui.cli.api.scopes import READ, RUN
from tui.cli.json import MarkedFileJson
from tui.cli.json.base import Shape
from tui.cli.support.review_marks import marked_files, marked_json

MAX_PATHS = 2000


class MarkRequest(Shape):
    """Changed files to mark as reviewed."""

    paths: Annotated[
        list[FilePathText],
        Meta(min_length=1, max_length=MAX_PATHS, description="files, and folders of files"),
    ]
    reviewed: Annotated[bool, Meta(description="false: remove the marks")] = True


@get(
    "/runs/{run:str}/reviewed",
    opt=READ,
    operation_id="list_reviewed_files",
    summary="List changed files with their marks",
    tags=["changes"],
)
async def list_reviewed_files(
    run: RunId,
    request: Request[Any, Any, Any],
    context: Context,
    path: Annotated[
        list[str] | None,
        QueryParameter(name="path", description="only this file or folder; several are possible"),
    ] = None,
) -> list[MarkedFileJson]:
    """Return the changed files of a run, and whether they are marked as reviewed."""
    del path  # read below with all its bytes
    found = await marked_files(context.engine, run, texts_of_query(request, "path"))
    return as_shape(list[MarkedFileJson], marked_json(found))


@post(
    "/runs/{run:str}/reviewed",
    opt=RUN,
    status_code=HTTPStatus.OK,
    operation_id="mark_reviewed_files",
    summary="Mark changed files as reviewed",
    tags=["changes"],
)
async def mark_reviewed_files(
    run: RunId, data: JSONBody[MarkRequest], context: Context
) -> list[MarkedFileJson]:
    """Mark changed files, or remove their marks; returns them. A mark ends with the next change."""
    found = await marked_files(context.engine, run, data.paths, data.reviewed)
    return as_shape(list[MarkedFileJson], marked_json(found))


HANDLERS = [list_reviewed_files, mark_reviewed_files]
