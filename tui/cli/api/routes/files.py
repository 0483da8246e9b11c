"""Operations on files of runs: list and download those of a workspace, and those saved beside."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, get, route
from litestar.params import QueryParameter

from engine.domain.errors import user_error
from tui.cli.api.answers import as_shape
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.downloads import ANSWERS, BYTES, Download, download
from tui.cli.api.parameters import RunId, texts_of_query
from tui.cli.api.scopes import READ
from tui.cli.json import ArtifactJson, EntryJson
from tui.cli.support.shown_names import first_found
from tui.cli.support.workspace_files import artifacts_json, entries_json, saved_files

FolderPath = Annotated[
    str,
    QueryParameter(
        name="path",
        description="folder in the workspace; empty: the workspace itself. Bytes that are not "
        r"UTF-8 as in a URL (`%E9`) or as the list prints them (`\xe9`)",
    ),
]
FilePath = Annotated[
    str,
    QueryParameter(
        name="path",
        description="path of the file in the workspace. Bytes that are not UTF-8 as in a URL "
        r"(`%E9`) or as the list prints them (`\xe9`)",
    ),
]
SavedPath = Annotated[
    str, QueryParameter(name="path", description="path as the list of artifacts has it, or name")
]
Asked = Request[Any, Any, Any]


@get(
    "/runs/{run:str}/files",
    opt=READ,
    operation_id="list_files",
    summary="List a folder of a workspace",
    tags=["files"],
)
async def list_files(
    run: RunId, request: Asked, context: Context, folder: FolderPath = ""
) -> list[EntryJson]:
    """Return the entries of one folder, folders first; links are listed and never followed."""
    asked = _path(request, folder)
    workspaces = context.engine.workspaces
    _, entries = await first_found(asked, lambda name: workspaces.folder(run, name))
    return as_shape(list[EntryJson], entries_json(entries))


@get(
    "/runs/{run:str}/file",
    opt=READ,
    operation_id="download_file",
    summary="Download a file of a workspace",
    tags=["files"],
    media_type=BYTES,
    responses=ANSWERS,
)
async def download_file(run: RunId, request: Asked, context: Context, file: FilePath) -> Download:
    """Return a regular file of a workspace; ranges are supported, links are not followed.

    `ETag` with `If-Range` continues a download. A file that is rewritten meanwhile ends the
    connection early.
    """
    return await _file(run, request, context, file)


@route(
    "/runs/{run:str}/file",
    http_method="HEAD",
    opt=READ,
    operation_id="check_file",
    summary="Check a file of a workspace",
    tags=["files"],
    media_type=BYTES,
    responses=ANSWERS,
)
async def check_file(run: RunId, request: Asked, context: Context, file: FilePath) -> Download:
    """Return the headers of a download: size, tag and name."""
    return await _file(run, request, context, file)


async def _file(run: str, request: Asked, context: ApiContext, file: str) -> Download:
    asked = _path(request, file)
    workspaces = context.engine.workspaces
    _, opened = await first_found(asked, lambda name: workspaces.open(run, name))
    return as_shape(Download, download(request, opened))


@get(
    "/runs/{run:str}/artifacts",
    opt=READ,
    operation_id="list_artifacts",
    summary="List the files a run saved",
    tags=["files"],
)
async def list_artifacts(run: RunId, context: Context) -> list[ArtifactJson]:
    """Return the files that a run saved beside its workspace."""
    return as_shape(list[ArtifactJson], await artifacts_json(context.engine, run))


@get(
    "/runs/{run:str}/artifact",
    opt=READ,
    operation_id="download_artifact",
    summary="Download a file a run saved",
    tags=["files"],
    media_type=BYTES,
    responses=ANSWERS,
)
async def download_artifact(
    run: RunId, request: Asked, context: Context, file: SavedPath
) -> Download:
    """Return a file that a run saved beside its workspace; ranges are supported."""
    return await _artifact(run, request, context, file)


@route(
    "/runs/{run:str}/artifact",
    http_method="HEAD",
    opt=READ,
    operation_id="check_artifact",
    summary="Check a file a run saved",
    tags=["files"],
    media_type=BYTES,
    responses=ANSWERS,
)
async def check_artifact(run: RunId, request: Asked, context: Context, file: SavedPath) -> Download:
    """Return the headers of a download: size, tag and name."""
    return await _artifact(run, request, context, file)


async def _artifact(run: str, request: Asked, context: ApiContext, file: str) -> Download:
    engine = context.engine
    known = await engine.find(run)
    saved = await saved_files(engine, known.id)
    folder, asked = engine.paths.run(known.id), _path(request, file)
    name = next((one for one in saved if asked in (one, str(folder / one).strip("/"))), None)
    if name is None:
        message = f"The run {known.id} saved no such file."
        raise user_error("WORKSPACE_MISSING", message, "List them with `swarm-tui artifacts`.")
    return as_shape(Download, download(request, await engine.workspaces.open_artifact(run, name)))


def _path(request: Asked, decoded: str) -> str:
    """Return the path of a query with all its bytes; the framework replaces those not UTF-8."""
    return next(iter(texts_of_query(request, "path")), decoded).strip("/")


HANDLERS = [
    list_files,
    download_file,
    check_file,
    list_artifacts,
    download_artifact,
    check_artifact,
]
