"""Findings of the doctor, disk usage and clean-ups."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from engine.domain.model import WorkspaceKind
from engine.engine import CheckHealth, LocationKind
from tui.cli.json.base import DIGEST, Count, ErrorInfoJson, Shape, Time

Digest = Annotated[str, Meta(pattern=DIGEST, description="confirms the plan in the HTTP API")]


class FindingJson(Shape):
    """One check of the doctor; recovery is empty if nothing is to do."""

    name: str
    health: CheckHealth
    message: str
    recovery: str


class RecoveryJson(Shape):
    """The data rebuilt from the folders of runs."""

    runs: Count
    events: Count
    unreadable: Annotated[list[str], Meta(description="folders without enough data of a run")]
    aside: Annotated[str | None, Meta(description="path of the damaged database")]


class DiagnosisJson(Shape):
    """All findings of the doctor; ended_orphans and recovered only with their options."""

    ok: bool
    findings: list[FindingJson]
    ended_orphans: Count | UnsetType = UNSET
    recovered: RecoveryJson | UnsetType = UNSET


class LoginJson(Shape):
    """The login of an account; an account that cannot work is an error instead."""

    account: Annotated[str, Meta(description="of `accounts`; default: the usual one")]
    ok: bool


class ConfigCheckJson(Shape):
    """The settings file; an invalid one is an error instead."""

    path: str
    exists: Annotated[bool, Meta(description="false: the defaults apply")]
    ok: bool


class DiskPlaceJson(Shape):
    """A place on the disk; a file with several names counts once."""

    kind: LocationKind
    path: str
    run: str | None
    project: str | None
    disk: Annotated[int, Meta(ge=0, description="bytes on disk")]
    apparent: Annotated[int, Meta(ge=0, description="apparent size in bytes")]
    rebuildable: Annotated[
        int, Meta(ge=0, description="bytes on disk that are rebuildable or may be deleted")
    ]
    entries: Count
    newest: Annotated[float, Meta(description="when a file last changed, in seconds since 1970")]
    unread: Annotated[int, Meta(ge=0, description="folders that could not be read")]
    state: Annotated[str | None, Meta(description="of a session: why it stays or may go")]
    error: str | None


class DiskUsageJson(Shape):
    """Disk usage; free is the free space of the disk."""

    places: list[DiskPlaceJson]
    free: Count


class RebuildableFolderJson(Shape):
    """A folder that can be made again; path is relative to the workspace."""

    path: str
    size: Count


class CleanupItemJson(Shape):
    """One workspace or session of a plan, and why it goes or stays."""

    run: Annotated[str, Meta(description="empty for a session without a known run")]
    title: str
    project: str
    size: Count
    why: str
    is_unsaved: Annotated[bool, Meta(description="it stays: it has unsaved work")]
    unapplied: Annotated[int, Meta(ge=0, description="changed files that are not applied")]
    path: str
    folders: Annotated[
        list[RebuildableFolderJson], Meta(description="folders to delete with `--artefacts-only`")
    ]
    host: Annotated[
        str, Meta(description="the node that it is on, without a trash; empty: this machine")
    ]


class CleanedUpJson(Shape):
    """The result for one item; entry is null if it was deleted permanently or stays."""

    run: str | None
    path: str
    freed: Count
    entry: str | None
    error: ErrorInfoJson | None


class CleanupJson(Shape):
    """The plan of a clean-up, the largest first, and its results (none with --dry-run)."""

    take: list[CleanupItemJson]
    keep: list[CleanupItemJson]
    size: Annotated[int, Meta(ge=0, description="bytes to be freed")]
    digest: Digest
    cleaned: list[CleanedUpJson]
    freed: Count
    stopped: bool


class TrashEntryJson(Shape):
    """An entry of the trash."""

    id: str
    run: str
    project: str
    title: str
    path: Annotated[str, Meta(description="original path")]
    kind: WorkspaceKind
    source: str | None
    branch: str | None
    is_only_here: Annotated[bool, Meta(description="has unsaved work")]
    at: Time


class BroughtBackJson(Shape):
    """The entries that --undo restored."""

    restored: list[TrashEntryJson]


class EmptiedJson(Shape):
    """The size of the trash, and the size that --empty-trash removed."""

    trash: list[TrashEntryJson]
    digest: Digest
    removed: Count


class ForgetPlanJson(Shape):
    """The effect of forgetting runs; unsaved has the reasons why runs are kept."""

    runs: Annotated[list[str], Meta(description="their ids")]
    workspaces: Annotated[int, Meta(ge=0, description="workspaces that go to the trash")]
    unsaved: list[str]
    digest: Digest
