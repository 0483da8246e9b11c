"""The shapes of results: clients check against them what a tool returns.

Lists and objects may be cut (`bounds`), so a text may stand where something was left out.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.domain.model import Status
from tui.cli.json.base import Count, ErrorInfoJson
from tui.cli.json.runs import ChangeCountJson
from tui.cli.mcp.bounds import TextPart

Hint = Annotated[str, Meta(description="how to get more; empty: this is all")]


class BriefRun(Struct):
    """A run: some keys of the run object of docs/json.md."""

    id: str
    title: str
    project: str
    batch: str | None
    parent: Annotated[str | None, Meta(description="the run that started it")]
    status: Status
    cause: Annotated[str | None, Meta(description="reason of its status")]
    waiting_for: str | None
    activity: str
    progress: Annotated[int, Meta(description="percent")]
    created_at: str
    finished_at: str | None
    elapsed_s: float
    attempt: int
    changes: ChangeCountJson | None
    error: ErrorInfoJson | None


class ShownRun(Struct):
    """The run object of docs/json.md, of which any other key may be cut."""

    id: str
    title: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class ChangedRun(Struct):
    """A run as a short object."""

    run: BriefRun


class ChangedRuns(Struct):
    """Runs as short objects."""

    runs: list[BriefRun]


class ListedRuns(ChangedRuns):
    """Runs, newest first."""

    more: bool
    hint: Hint


class AwaitedRuns(ChangedRuns):
    """Runs after a wait."""

    done: bool
    waiting_for_the_user: list[str]
    hint: Hint


class StartedBatch(Struct):
    """A batch and its runs."""

    batch: str
    runs: list[BriefRun | str]


class RunResult(ChangedRun):
    """The outcome of a run, and the last message of its agent."""

    message: TextPart
    result: Annotated[Any, Meta(description="the answer to an output schema; null: there is none")]


class LogText(Struct):
    """A part of a run's log."""

    run: str
    status: str
    log: str
    first: Annotated[int | None, Meta(description="number of the first event of the part")]
    last: Annotated[int | None, Meta(description="number of the last event of the part")]
    newest: Annotated[int, Meta(description="number of the run's newest event")]


class OutputPart(Struct):
    """A part of the output of a command of a run."""

    run: str
    attempt: int
    text: str
    offset: int
    total_bytes: int | None
    next_offset: int | None


class ChangedFile(Struct):
    """A file that a run changed."""

    path: str
    change: str
    insertions: int | None
    deletions: int | None
    binary: bool


class RunDiff(Struct):
    """The changes of a run."""

    run: str
    files: Count
    insertions: Count
    deletions: Count
    changes: list[ChangedFile]
    more: bool
    patch: TextPart | UnsetType = UNSET


class ListedFile(Struct):
    """A file or folder of a workspace."""

    path: str
    name: str
    is_folder: bool
    is_link: bool
    size_bytes: int | None


class ListedFiles(Struct):
    """A folder of a run's workspace."""

    run: str
    entries: list[ListedFile]
    more: bool
    hint: Hint


class FilePart(Struct):
    """A file of a run's workspace: a part of its text, or where a link leads."""

    run: str
    path: str
    size_bytes: int
    link_to: str | UnsetType = UNSET
    is_binary: bool | UnsetType = UNSET
    text: str | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    total_bytes: int | UnsetType | None = UNSET
    next_offset: int | UnsetType | None = UNSET


class UnfitFile(Struct):
    """A file that prevents applying the changes of a run."""

    path: str
    why: str


class AppliedRun(Struct):
    """The result of applying the changes of a run."""

    run: str
    outcome: str
    fits: bool
    applied: bool
    files: list[str]
    conflicts: list[UnfitFile | str]
    commit: str | None
    branch: str | None


class PushedRun(Struct):
    """The branch of a run on a remote."""

    run: str
    remote: str
    address: str
    branch: str
    commit: str
    web_address: str
    pull_request: str
    checkpoint: int | None


class PlannedCleanup(Struct):
    """A workspace that is removed or kept, and the reason."""

    run: str
    size: int
    why: str


class CleanedWorkspace(Struct):
    """A workspace that was moved to the trash, or why it was not."""

    run: str
    freed: int
    error: str | None


class CleanedRuns(Struct):
    """The plan of a cleanup, and its results."""

    take: list[PlannedCleanup | str]
    keep: list[PlannedCleanup | str]
    cleaned: list[CleanedWorkspace | str]
