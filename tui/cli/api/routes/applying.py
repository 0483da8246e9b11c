"""Operations that change the user's repositories: apply and update, and their undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

from litestar import post
from litestar.params import JSONBody
from msgspec import Meta, field

from engine.domain.apply_outcome import ApplyOutcome
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from engine.engine import ApplyMode, ApplyOptions, RunApplied, UpdateRequest, apply_run
from tui.cli.api.answers import as_shape
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.parameters import RunId
from tui.cli.api.requests import LongText, RunNames, Text, absolute_folder
from tui.cli.api.scopes import ADMIN
from tui.cli.json import AppliedJson, UndoneJson, UpdatedJson, UpdateUndoneJson
from tui.cli.json.base import Shape
from tui.cli.support import session
from tui.cli.support.change_results import (
    applied_json,
    not_updated_json,
    undone_json,
    update_undone_json,
    updated_json,
)

Row = AppliedJson | UpdatedJson


class ApplyForm(StrEnum):
    """The form in which changes are applied; a patch is an operation of its own."""

    EDITS = "edits"
    COMMIT = "commit"
    MERGE = "merge"


class ApplyChangesRequest(Shape):
    """Options of an apply."""

    form: Annotated[ApplyForm, Meta(description="edits in the working tree, a commit, a merge")] = (
        field(default=ApplyForm.EDITS, name="as")
    )
    to: Annotated[
        Text | None, Meta(description="absolute path of a folder to apply to; null: the source")
    ] = None
    message: Annotated[LongText, Meta(description="message of the commit")] = ""
    check: Annotated[bool, Meta(description="only return the result, and change nothing")] = False
    resolve: Annotated[bool, Meta(description="resume the run to resolve conflicts")] = False


class ApplyRunsRequest(ApplyChangesRequest, kw_only=True):
    """Options of an apply, and the runs to apply in this order."""

    runs: RunNames


class UpdateWorkspaceRequest(Shape):
    """Options of an update."""

    base: Annotated[Text | None, Meta(description="branch or commit; null: as before")] = None
    fetch: Annotated[bool, Meta(description="fetch the base from its remote first")] = False
    check: Annotated[bool, Meta(description="only return the result, and change nothing")] = False
    resolve: Annotated[bool, Meta(description="resume the run to resolve conflicts")] = False


class UpdateRunsRequest(UpdateWorkspaceRequest, kw_only=True):
    """Options of an update, and the runs to update."""

    runs: RunNames


@post(
    "/runs/{run:str}/apply",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="apply_run",
    summary="Apply the changes of a run",
    tags=["changes"],
)
async def apply_changes(run: RunId, data: JSONBody[ApplyChangesRequest], context: Context) -> Row:
    """Apply the changes of a run to its source; a conflict changes nothing: APPLY_CONFLICT.

    With `check`, conflicts are in the answer. With `resolve`, the run is resumed to resolve them,
    and the answer is that of an update. Hooks never run.
    """
    return await apply_one(context, (await context.engine.find(run)).id, data, is_alone=True)


@post(
    "/apply",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="apply_runs",
    summary="Apply the changes of several runs",
    tags=["changes"],
)
async def apply_several(data: JSONBody[ApplyRunsRequest], context: Context) -> list[Row]:
    """Apply runs in order; one that does not fit is passed over, and its row has the reason."""
    found = await session.find_all(context.engine, data.runs)
    return [await apply_one(context, run.id, data, is_alone=False) for run in found]


async def apply_one(
    context: ApiContext, run: str, data: ApplyChangesRequest, *, is_alone: bool
) -> Row:
    """Apply the changes of one run; raises `UserError` for one that `is_alone`."""
    _check_one_of(data.check, data.resolve)
    mode, folder = ApplyMode(data.form.value), await absolute_folder(data.to)
    options = ApplyOptions(mode, folder, data.message, data.check)
    done = await apply_run(context.engine.workspaces, run, options)
    if data.resolve and done.error and done.error.code == "APPLY_CONFLICT":
        return await _resolve_apply(context, done, is_alone=is_alone)
    if done.error and is_alone:
        raise done.error
    return as_shape(AppliedJson, applied_json(done, check=data.check))


async def _resolve_apply(context: ApiContext, done: RunApplied, *, is_alone: bool) -> Row:
    """Hand the conflict of an apply to the run's agent: its base may be newer than its files."""
    try:
        report = await context.engine.updates.resolve(done.run, UpdateRequest())
    except UserError as error:
        if is_alone:
            raise
        skipped = RunApplied(done.run, ApplyOutcome.CONFLICT, done.result, error)
        return as_shape(AppliedJson, applied_json(skipped, check=False))
    await context.supervise([report.run])
    return as_shape(UpdatedJson, updated_json(report, is_done=True))


@post(
    "/runs/{run:str}/apply/undo",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="undo_apply",
    summary="Undo the last apply of a run",
    tags=["changes"],
)
async def undo_apply(run: RunId, context: Context) -> UndoneJson:
    """Put back all files that the last apply as edits changed, if the source has not changed."""
    known = await context.engine.find(run)
    done = await context.engine.workspaces.undo_apply(known.id)
    return as_shape(UndoneJson, undone_json(known.id, done))


@post(
    "/runs/{run:str}/update",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="update_run",
    summary="Update a workspace to its base",
    tags=["changes"],
)
async def update_workspace(
    run: RunId, data: JSONBody[UpdateWorkspaceRequest], context: Context
) -> UpdatedJson:
    """Move the workspace of an ended run onto the newest commit of its base.

    A conflict changes nothing: UPDATE_CONFLICT. With `check`, conflicts are in the answer. With
    `resolve`, the run is resumed to resolve them.
    """
    await context.check_settings()
    return await _update(context, await context.engine.find(run), data)


@post(
    "/update",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="update_runs",
    summary="Update several workspaces",
    tags=["changes"],
)
async def update_several(data: JSONBody[UpdateRunsRequest], context: Context) -> list[UpdatedJson]:
    """Update workspaces one after the other; the row of one that is not updated has the error."""
    await context.check_settings()
    found = await session.find_all(context.engine, data.runs)
    return [await _row(run, lambda run=run: _update(context, run, data)) for run in found]


async def _row(run: Run, update: Callable[[], Awaitable[UpdatedJson]]) -> UpdatedJson:
    try:
        return await update()
    except UserError as error:
        return as_shape(UpdatedJson, not_updated_json(run, error))


async def _update(context: ApiContext, run: Run, data: UpdateWorkspaceRequest) -> UpdatedJson:
    _check_one_of(data.check, data.resolve)
    updates, wanted = context.engine.updates, UpdateRequest(data.base, data.fetch)
    if data.check:
        report = await updates.check(run.id, wanted)
    elif data.resolve:
        report = await updates.resolve(run.id, wanted)
        await context.supervise([report.run])
    else:
        report = await updates.update(run.id, wanted)
    return as_shape(UpdatedJson, updated_json(report, is_done=not data.check))


@post(
    "/runs/{run:str}/update/undo",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="undo_update",
    summary="Undo the last update of a workspace",
    tags=["changes"],
)
async def undo_update(run: RunId, context: Context) -> UpdateUndoneJson:
    """Put a workspace back to its state before the update; a restore can revert that."""
    await context.check_settings()
    known = await context.engine.find(run)
    done = await context.engine.updates.undo(known.id)
    return as_shape(UpdateUndoneJson, update_undone_json(known.id, done))


def _check_one_of(check: bool, resolve: bool) -> None:
    if check and resolve:
        message = "A check changes nothing: it does not go with `resolve`."
        raise user_error("INPUT_INVALID", message, "Leave out one of them.")


HANDLERS = [
    apply_changes,
    apply_several,
    undo_apply,
    update_workspace,
    update_several,
    undo_update,
]
