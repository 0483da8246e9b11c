"""Operations on disk space: usage, clean-ups, the trash, and runs that are forgotten.

Deletion needs the digest of a plan: of the same plan, made again, or nothing is deleted.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta, field

from engine.domain.errors import user_error
from engine.domain.model import Status
from engine.engine import CleanupFilter, CleanupReport, TrashEntry
from engine.ports.engine import EnginePort
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.requests import Number, RunName, RunNames, Text
from tui.cli.api.scopes import ADMIN, READ
from tui.cli.json import (
    BroughtBackJson,
    CleanupJson,
    DiskUsageJson,
    EmptiedJson,
    ForgetPlanJson,
    ForgottenJson,
)
from tui.cli.json.base import DIGEST, Shape
from tui.cli.support import session
from tui.cli.support.disk_results import (
    emptied_json,
    forget_digest,
    forget_plan_json,
    measured_usage,
    plan_json,
    restored_entries_json,
    run_or_trashed,
    trash_digest,
    usage_json,
)

Runs = Annotated[list[RunName], Meta(max_length=1000, description="only these; empty: all")]
Digest = Annotated[str, Meta(pattern=DIGEST, description="digest of the plan that is confirmed")]
EntryId = Annotated[str, PathParameter(description="id of an entry of the trash")]
RunsOfTrash = Annotated[
    list[str] | None, QueryParameter(name="run", description="only entries of this run; repeatable")
]


class CleanupPlanRequest(Shape):
    """The filter of a clean-up; an empty one is for all runs that have ended."""

    runs: Runs = field(default_factory=list[str])
    older_than_s: Annotated[
        float, Meta(ge=0, le=1e12, description="only runs that ended so many seconds ago")
    ] = 0.0
    statuses: Annotated[list[Status], Meta(max_length=20, description="only these; empty: all")] = (
        field(default_factory=list[Status])
    )
    project: Annotated[Text | None, Meta(description="only runs of this project")] = None
    keep: Annotated[Number, Meta(description="keep the newest runs of each project")] = 0
    artefacts_only: Annotated[bool, Meta(description="only rebuildable folders, permanently")] = (
        False
    )
    including_unsaved: Annotated[
        bool, Meta(description="unsaved work, too; a patch of it is kept with the run")
    ] = False
    codex: Annotated[
        bool, Meta(description="session files of runs that cannot be resumed, permanently")
    ] = False


class CleanupRequest(CleanupPlanRequest, kw_only=True):
    """The filter of a clean-up, and the digest of its plan."""

    digest: Digest


class TrashRequest(Shape):
    """The runs whose entries of the trash are meant."""

    runs: Runs = field(default_factory=list[str])


class EmptyTrashRequest(TrashRequest, kw_only=True):
    """The entries to remove permanently, with the digest of the list."""

    digest: Digest


class ForgetPlanRequest(Shape):
    """The runs to forget."""

    runs: RunNames


class ForgetRequest(ForgetPlanRequest, kw_only=True):
    """The runs to forget, with the digest of the plan."""

    digest: Digest
    including_unsaved: Annotated[
        bool, Meta(description="runs with unsaved work, too; the trash keeps their workspaces")
    ] = False


@get(
    "/disk",
    opt=READ,
    operation_id="show_disk_usage",
    summary="Show disk usage",
    tags=["disk"],
)
async def show_disk_usage(
    context: Context,
    project: Annotated[str | None, QueryParameter(description="only this project")] = None,
) -> DiskUsageJson:
    """Measure workspaces, files of runs, database, trash and Codex's own home."""
    disk = context.engine.disk
    found = await measured_usage(context.engine, project)
    return as_shape(DiskUsageJson, usage_json(found, disk.free()))


@post(
    "/cleanup/plan",
    opt=READ,
    status_code=HTTPStatus.OK,
    operation_id="plan_cleanup",
    summary="Plan a clean-up",
    tags=["disk"],
)
async def plan_cleanup(data: JSONBody[CleanupPlanRequest], context: Context) -> CleanupJson:
    """Return what would go and what stays, with reasons; `digest` confirms the plan."""
    plan = await context.engine.disk.plan(await _filter(context.engine, data))
    return as_shape(CleanupJson, plan_json(plan, CleanupReport()))


@post(
    "/cleanup",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="clean_up",
    summary="Clean up as planned",
    tags=["disk"],
)
async def clean_up(data: JSONBody[CleanupRequest], context: Context) -> CleanupJson:
    """Move workspaces of ended runs to the trash, as in the plan with this digest.

    PLAN_CHANGED: the same filter makes another plan by now, and nothing was deleted.
    """
    await context.check_settings()
    disk, wish = context.engine.disk, await _filter(context.engine, data)
    plan = await disk.plan(wish)
    confirm(plan.digest, data.digest)
    report = await disk.clean(plan, wish, stop=context.stopping.is_set)
    return as_shape(CleanupJson, plan_json(plan, report))


async def _filter(engine: EnginePort, data: CleanupPlanRequest) -> CleanupFilter:
    return CleanupFilter(
        runs=frozenset([(await engine.find(name)).id for name in data.runs]),
        older_than_s=data.older_than_s,
        statuses=frozenset(status.value for status in data.statuses),
        project=data.project,
        keep=data.keep,
        artefacts_only=data.artefacts_only,
        including_unsaved=data.including_unsaved,
        sessions=data.codex,
    )


@get("/trash", opt=READ, operation_id="list_trash", summary="List the trash", tags=["disk"])
async def list_trash(context: Context, runs: RunsOfTrash = None) -> EmptiedJson:
    """Return the entries of the trash, the newest first; `digest` confirms their removal."""
    entries = await _entries(context.engine, runs or [])
    return as_shape(EmptiedJson, emptied_json(entries, 0))


@post(
    "/trash/undo",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="undo_cleanup",
    summary="Restore the last clean-up",
    tags=["disk"],
)
async def undo_cleanup(data: JSONBody[TrashRequest], context: Context) -> BroughtBackJson:
    """Restore what went to the trash last: together, or of these runs."""
    engine = context.engine
    runs = [await run_or_trashed(engine, name) for name in data.runs]
    found = [one for run in runs or [None] for one in await engine.disk.undo(run)]
    return as_shape(BroughtBackJson, restored_entries_json(found))


@post(
    "/trash/{entry:str}/restore",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="restore_from_trash",
    summary="Restore an entry of the trash",
    tags=["disk"],
)
async def restore_from_trash(entry: EntryId, context: Context) -> BroughtBackJson:
    """Bring a workspace back to where it was."""
    disk = context.engine.disk
    found = next((one for one in await disk.trash() if one.id == entry), None)
    if found is None:
        raise user_error("TRASH_NOT_FOUND")
    await disk.restore(found)
    return as_shape(BroughtBackJson, restored_entries_json([found]))


@post(
    "/trash/empty",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="empty_trash",
    summary="Empty the trash permanently",
    tags=["disk"],
)
async def empty_trash(data: JSONBody[EmptyTrashRequest], context: Context) -> EmptiedJson:
    """Remove the entries whose list has this digest; PLAN_CHANGED where it has another."""
    await context.check_settings()
    entries = await _entries(context.engine, data.runs)
    confirm(trash_digest(entries), data.digest)
    removed = await context.engine.disk.empty(entries, stop=context.stopping.is_set)
    return as_shape(EmptiedJson, emptied_json(entries, removed))


async def _entries(engine: EnginePort, names: list[str]) -> list[TrashEntry]:
    runs = [await run_or_trashed(engine, name) for name in names]
    return [one for one in await engine.disk.trash() if not runs or one.run in runs]


@post(
    "/forget/plan",
    opt=READ,
    status_code=HTTPStatus.OK,
    operation_id="plan_forget",
    summary="Plan to forget runs",
    tags=["disk"],
)
async def plan_forget(data: JSONBody[ForgetPlanRequest], context: Context) -> ForgetPlanJson:
    """Check that runs may be forgotten, and return what that removes, with its digest."""
    found = await session.find_all(context.engine, data.runs)
    planned = await context.engine.forgetting.plan([run.id for run in found])
    return as_shape(ForgetPlanJson, forget_plan_json(planned))


@post(
    "/forget",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="forget_runs",
    summary="Forget runs with their records",
    tags=["disk"],
)
async def forget_runs(data: JSONBody[ForgetRequest], context: Context) -> ForgottenJson:
    """Remove ended runs with their logs, files and comments: all of them or none.

    Their workspaces go to the trash. PLAN_CHANGED where the plan has another digest by now.
    """
    await context.check_settings()
    forgetting = context.engine.forgetting
    runs = [run.id for run in await session.find_all(context.engine, data.runs)]
    confirm(forget_digest(await forgetting.plan(runs)), data.digest)
    gone = await forgetting.forget(runs, including_unsaved=data.including_unsaved)
    return as_shape(ForgottenJson, {"forgotten": gone})


def confirm(digest: str, given: str) -> None:
    """Raise `UserError` PLAN_CHANGED unless the client has seen this plan."""
    if digest != given:
        raise user_error("PLAN_CHANGED")


HANDLERS = [
    show_disk_usage,
    plan_cleanup,
    clean_up,
    list_trash,
    undo_cleanup,
    restore_from_trash,
    empty_trash,
    plan_forget,
    forget_runs,
]
