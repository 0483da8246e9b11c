"""Files and changes of a run, and results of applying them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.domain.apply_outcome import ApplyOutcome
from tui.cli.json.base import Count, ErrorInfoJson, Path, Shape, Time
from tui.cli.json.runs import PushJson


class EntryJson(Shape):
    """A file or folder of a workspace."""

    path: str
    name: Annotated[str, Meta(description="safe to show")]
    is_folder: bool
    is_link: bool
    size_bytes: Count | None


class ForgottenJson(Shape):
    """The runs that were forgotten."""

    forgotten: Annotated[list[str], Meta(description="their ids")]


class ArtifactJson(Shape):
    """A file that a run saved."""

    path: Annotated[str, Meta(description="absolute")]
    bytes: Count


class ChangedFileJson(Shape):
    """A file or submodule that a run changed; binary files count no lines."""

    path: Path
    old_path: Annotated[str | None, Meta(description="where it was renamed")]
    change: Annotated[str, Meta(pattern="^(added|modified|deleted|renamed|mode)$")]
    insertions: Count
    deletions: Count
    binary: bool
    type: Annotated[str, Meta(pattern="^(file|link|submodule)$")]
    old_commit: Annotated[str | None, Meta(description="of a submodule or nested repository")]
    commit: Annotated[str | None, Meta(description="of a submodule or nested repository")]


class MarkedFileJson(Shape):
    """A changed file of a run, and whether it is marked as reviewed."""

    path: Path
    change: Annotated[str, Meta(pattern="^(added|modified|deleted|renamed|mode)$")]
    is_reviewed: Annotated[bool, Meta(description="marked, and not changed since")]


class DiffJson(Shape):
    """The changes of a run; left_out names files that could not be read."""

    files: Count
    insertions: Count
    deletions: Count
    changes: list[ChangedFileJson]
    left_out: list[str]


class ConflictJson(Shape):
    """A file that prevents applying a run's changes."""

    path: Path
    why: str


class AppliedJson(Shape):
    """The result of applying one run's changes; of several runs, each has a row."""

    run: str
    outcome: Annotated[ApplyOutcome, Meta(description="fits only with --check")]
    reason: Annotated[ErrorInfoJson | None, Meta(description="why it was not applied")]
    applied: bool
    fits: bool
    files: list[Path]
    submodules_left: Annotated[list[Path], Meta(description="whose commit edits do not bring")]
    conflicts: list[ConflictJson]
    commit: str | None
    branch: str | None
    merged_into: Annotated[str | None, Meta(description="the branch that a merge went into")]
    signed: Annotated[bool | None, Meta(description="null if no commit was made")]
    hooks_run: Annotated[bool | None, Meta(description="null if no commit was made")]


class UndoneJson(Shape):
    """The result of undoing the last apply of a run; files are as they were before."""

    run: str
    undone: bool
    to: str
    files: list[Path]


class UpdatedJson(Shape):
    """The result of an update, or of its check."""

    run: str
    updated: bool
    base: str
    old: Annotated[str, Meta(description="commit of the base before")]
    new: Annotated[str, Meta(description="newest commit of the base")]
    commits: Count
    files: list[Path]
    conflicts: list[ConflictJson]
    left: Annotated[list[Path], Meta(description="changes of the base that are not brought")]
    resumed: Annotated[bool, Meta(description="whether the agent resolves the conflicts")]
    error: Annotated[ErrorInfoJson | None, Meta(description="why one of several runs was not")]


class UpdateUndoneJson(Shape):
    """The result of undoing an update; undo is the checkpoint that reverts it."""

    run: str
    undone: bool
    files: list[Path]
    undo: Count


class PushedJson(PushJson):
    """The result of a push; hooks never run."""

    run: str
    hooks_run: bool


class CheckpointJson(Shape):
    """A state of a workspace that can be restored."""

    n: Count
    at: Time
    stage: str


class RestoredJson(Shape):
    """The restored state; undo is the checkpoint that reverts it."""

    files: list[Path]
    undo: Count
