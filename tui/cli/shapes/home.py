"""What the doctor finds, what takes room, and what is cleaned up."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from engine.domain.model import WorkspaceKind
from engine.engine import Health, PlaceKind
from tui.cli.shapes.base import Count, ErrorInfo, Shape, Time


class Finding(Shape):
    """One thing the doctor looked at; recovery is empty where nothing needs doing."""

    name: str
    health: Health
    message: str
    recovery: str


class Recovery(Shape):
    """What was rebuilt from the folders of runs."""

    runs: Count
    events: Count
    unreadable: Annotated[list[str], Meta(description="folders that hold too little of a run")]
    aside: Annotated[str | None, Meta(description="where the damaged database was put")]


class Diagnosis(Shape):
    """What the doctor found; ended_orphans and recovered only with their options."""

    ok: bool
    findings: list[Finding]
    ended_orphans: Count | UnsetType = UNSET
    recovered: Recovery | UnsetType = UNSET


class DiskPlace(Shape):
    """A place that takes room; a file with several names counts in one place."""

    kind: PlaceKind
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


class DiskUsage(Shape):
    """What takes room; free is what is left on the disk."""

    places: list[DiskPlace]
    free: Count


class RebuildableFolder(Shape):
    """A folder that can be made again; path is relative to the workspace."""

    path: str
    size: Count


class CleanupItem(Shape):
    """One workspace or session of a plan, and why it goes or stays."""

    run: Annotated[str, Meta(description="empty for a session of no run that is known")]
    title: str
    project: str
    size: Count
    why: str
    is_unsaved: Annotated[bool, Meta(description="it stays: work in it is nowhere else")]
    path: str
    folders: Annotated[
        list[RebuildableFolder], Meta(description="all that goes, with --artefacts-only")
    ]


class CleanedUp(Shape):
    """What became of one of them; entry is null where it is gone for good, or stays."""

    run: str | None
    path: str
    freed: Count
    entry: str | None
    error: ErrorInfo | None


class Cleanup(Shape):
    """What a clean-up takes and keeps, the largest first; what it did, nothing with --dry-run."""

    take: list[CleanupItem]
    keep: list[CleanupItem]
    size: Annotated[int, Meta(ge=0, description="bytes to be freed")]
    cleaned: list[CleanedUp]
    freed: Count
    stopped: bool


class TrashEntry(Shape):
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


class BroughtBack(Shape):
    """What --undo brought back."""

    restored: list[TrashEntry]


class Emptied(Shape):
    """What was in the trash, and how much of it --empty-trash removed."""

    trash: list[TrashEntry]
    removed: Count
