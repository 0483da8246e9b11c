"""What the doctor finds, what takes room, and what is cleaned up."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from engine.domain.model import WorkspaceKind
from engine.engine import CheckHealth, LocationKind
from tui.cli.json.base import Count, ErrorInfoJson, Shape, Time


class FindingJson(Shape):
    """One thing the doctor looked at; recovery is empty where nothing needs doing."""

    name: str
    health: CheckHealth
    message: str
    recovery: str


class RecoveryJson(Shape):
    """What was rebuilt from the folders of runs."""

    runs: Count
    events: Count
    unreadable: Annotated[list[str], Meta(description="folders that hold too little of a run")]
    aside: Annotated[str | None, Meta(description="where the damaged database was put")]


class DiagnosisJson(Shape):
    """What the doctor found; ended_orphans and recovered only with their options."""

    ok: bool
    findings: list[FindingJson]
    ended_orphans: Count | UnsetType = UNSET
    recovered: RecoveryJson | UnsetType = UNSET


class DiskPlaceJson(Shape):
    """A place that takes room; a file with several names counts in one place."""

    kind: LocationKind
    path: str
    run: str | None
    project: str | None
    disk: Annotated[int, Meta(ge=0, description="bytes on disk")]
    apparent: Annotated[int, Meta(ge=0, description="bytes that the files say they have")]
    rebuildable: Annotated[
        int, Meta(ge=0, description="bytes on disk that can be made again, or may go")
    ]
    entries: Count
    newest: Annotated[float, Meta(description="when a file last changed, in seconds since 1970")]
    unread: Annotated[int, Meta(ge=0, description="folders that could not be looked into")]
    state: Annotated[str | None, Meta(description="of a session: why it stays or may go")]
    error: str | None


class DiskUsageJson(Shape):
    """What takes room; free is what is left on the disk."""

    places: list[DiskPlaceJson]
    free: Count


class RebuildableFolderJson(Shape):
    """A folder that can be made again; path is relative to the workspace."""

    path: str
    size: Count


class CleanupItemJson(Shape):
    """One workspace or session of a plan, and why it goes or stays."""

    run: Annotated[str, Meta(description="empty for a session of no run that is known")]
    title: str
    project: str
    size: Count
    why: str
    is_unsaved: Annotated[bool, Meta(description="it stays: work in it is nowhere else")]
    path: str
    folders: Annotated[
        list[RebuildableFolderJson], Meta(description="all that goes, with --artefacts-only")
    ]


class CleanedUpJson(Shape):
    """What became of one of them; entry is null where it is gone for good, or stays."""

    run: str | None
    path: str
    freed: Count
    entry: str | None
    error: ErrorInfoJson | None


class CleanupJson(Shape):
    """What a clean-up takes and keeps, the largest first; what it did, nothing with --dry-run."""

    take: list[CleanupItemJson]
    keep: list[CleanupItemJson]
    size: Annotated[int, Meta(ge=0, description="bytes to be freed")]
    cleaned: list[CleanedUpJson]
    freed: Count
    stopped: bool


class TrashEntryJson(Shape):
    """Something in the trash."""

    id: str
    run: str
    project: str
    title: str
    path: Annotated[str, Meta(description="where it was")]
    kind: WorkspaceKind
    source: str | None
    branch: str | None
    is_only_here: Annotated[bool, Meta(description="holds work that is nowhere else")]
    at: Time


class BroughtBackJson(Shape):
    """What --undo brought back."""

    restored: list[TrashEntryJson]


class EmptiedJson(Shape):
    """What was in the trash, and how much of it --empty-trash removed."""

    trash: list[TrashEntryJson]
    removed: Count
