"""The events of a run: one record for each type of the public contract."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, ClassVar

from engine.domain.account import AccountChosen
from engine.domain.annotation import Annotation
from engine.domain.base_update import WorkspaceUpdated
from engine.domain.file_marks import FilesReviewed
from engine.domain.hosts import HostChosen
from engine.domain.interaction import (
    ApprovalPolicy,
    InputRequest,
    MessageChanged,
    RunMode,
    TurnInterrupt,
)
from engine.domain.model import Applied, ErrorInfo, LimitWindow, PlanItem, Stage, Status, Usage
from engine.domain.numeric import MAX_COUNT, bounded_count, bounded_exit_code, bounded_time
from engine.domain.pull_request import PullRequestSeen
from engine.domain.push import BranchPushed
from engine.domain.reasons import Cause, Subject, reason
from engine.domain.record import record
from engine.domain.review_comment import ReviewComment
from engine.domain.spend import SpendFlag
from engine.domain.thread_session import ThreadSession


@record
class StatusChanged:
    """The run went from one status to another; `exit_code` is the agent's, where it ended.

    A queued run does not start before `not_before` (seconds since 1970). `cause` is the reason
    for programs, `reason` for people. `mode` and `approvals` are those from this attempt on,
    where they change. `prompt` is the prompt of the attempt, where the user wrote one, its
    beginning if it is long.
    """

    type: ClassVar[str] = "status"
    status: Status
    previous: Status | None = None
    reason: str = ""
    exit_code: int | None = None
    not_before: float | None = None
    cause: Cause | None = None
    mode: RunMode | None = None
    approvals: ApprovalPolicy | None = None
    prompt: str | None = None


@record
class Progressed:
    """The run reached a stage; `percent` 0–100 never goes back within an attempt."""

    type: ClassVar[str] = "progress"
    stage: Stage
    message: str
    percent: int
    details: dict[str, Any] | None = None
    elapsed_s: float | None = None


@record
class FileChange:
    """One changed file, its path relative to the workspace."""

    path: str
    change: str


@record
class Step:
    """A step or message of the agent; `waits`: it only waits, for as long as it asked to."""

    type: ClassVar[str] = "step"
    role: str
    kind: str
    phase: str
    text: str = ""
    command: str | None = None
    exit_code: int | None = None
    output: str | None = None
    changes: tuple[FileChange, ...] | None = None
    waits: bool | None = None

    def __post_init__(self) -> None:
        if self.exit_code:
            object.__setattr__(self, "exit_code", bounded_exit_code(self.exit_code))


@record
class PlanChanged:
    """The agent's own plan, whole."""

    type: ClassVar[str] = "plan"
    items: tuple[PlanItem, ...]


@record
class FilesChanged:
    """Changes that the watcher saw in the workspace, coalesced."""

    type: ClassVar[str] = "files"
    changes: tuple[FileChange, ...]


@record
class ChangesMeasured:
    """The summary against the baseline; `paths`, the first of the files, where they are others."""

    type: ClassVar[str] = "changes"
    files: int
    insertions: int
    deletions: int
    paths: tuple[str, ...] | None = None


_COUNTS = (
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "context_window",
    "reasoning_output_tokens",
    "requests",
)


@record
class UsageCounted:
    """Tokens and model requests of this run so far, all its attempts together.

    `model` used what was added since the event before; None: not known. `of_sub_agent`: whether a
    sub-agent used that.
    """

    type: ClassVar[str] = "usage"
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    context_window: int | None = None
    reasoning_output_tokens: int = 0
    requests: int = 0
    model: str | None = None
    of_sub_agent: bool | None = None

    def __post_init__(self) -> None:
        for name in _COUNTS:
            number = getattr(self, name)
            if number is not None and not 0 <= number <= MAX_COUNT:
                object.__setattr__(self, name, bounded_count(number))

    @property
    def usage(self) -> Usage:
        """Return the usage so far."""
        return Usage(
            self.input_tokens,
            self.cached_input_tokens,
            self.output_tokens,
            self.reasoning_output_tokens,
            self.requests,
        )


@record
class LimitsSeen:
    """The agent's rate-limit windows."""

    type: ClassVar[str] = "limits"
    windows: tuple[LimitWindow, ...]


@record
class Notice:
    """A fact for the user that is not a failure; `level` is `info` or `warning`.

    `subject` is the kind of fact where something is decided by it. `applied` are the changes
    that were applied. `trash`: whether the workspace is in the trash from now on.
    `uncheckpointed`: the last checkpoint failed. `store_lost`: whether the store of its
    checkpoints is damaged. `skipped_s`: seconds that passed on the wall clock and do not count:
    the machine slept, or the clock was moved. Negative: it was moved back, and the times of
    events go back with it. `spend` is the usage of a run that spends far more than others like
    it.
    """

    type: ClassVar[str] = "notice"
    level: str
    text: str
    applied: Applied | None = None
    trash: bool | None = None
    uncheckpointed: bool | None = None
    store_lost: bool | None = None
    skipped_s: float | None = None
    subject: Subject | None = None
    spend: SpendFlag | None = None


@record
class CheckpointTaken:
    """The workspace as it stands can be returned to."""

    type: ClassVar[str] = "checkpoint"
    n: int
    stage: str
    ref: str


@record
class ArtifactSaved:
    """A file of the run that can be fetched; `path` is relative to the run's own folder."""

    type: ClassVar[str] = "artifact"
    path: str
    bytes: int


@record
class ErrorRaised:
    """The error of a failed run: the problem and the fix."""

    type: ClassVar[str] = "error"
    error: ErrorInfo


@record
class ApplyUndone:
    """The last apply of the run's changes was undone: the folder, and the number of files."""

    type: ClassVar[str] = "apply_undone"
    to: str
    files: int


@record
class RunForgotten:
    """The run was forgotten: the last event of its stream, which is not stored."""

    type: ClassVar[str] = "forgotten"


@record
class Raw:
    """A line of the agent that this version does not know, kept whole."""

    type: ClassVar[str] = "raw"
    data: Any


Body = (
    StatusChanged
    | Progressed
    | Step
    | PlanChanged
    | FilesChanged
    | ChangesMeasured
    | UsageCounted
    | LimitsSeen
    | Notice
    | CheckpointTaken
    | ArtifactSaved
    | ErrorRaised
    | InputRequest
    | MessageChanged
    | TurnInterrupt
    | Annotation
    | ReviewComment
    | BranchPushed
    | PullRequestSeen
    | ThreadSession
    | ApplyUndone
    | FilesReviewed
    | RunForgotten
    | WorkspaceUpdated
    | AccountChosen
    | HostChosen
    | Raw
)

BODIES: dict[str, type[Body]] = {
    kind.type: kind
    for kind in (
        StatusChanged,
        Progressed,
        Step,
        PlanChanged,
        FilesChanged,
        ChangesMeasured,
        UsageCounted,
        LimitsSeen,
        Notice,
        CheckpointTaken,
        ArtifactSaved,
        ErrorRaised,
        InputRequest,
        MessageChanged,
        TurnInterrupt,
        Annotation,
        ReviewComment,
        BranchPushed,
        PullRequestSeen,
        ThreadSession,
        ApplyUndone,
        FilesReviewed,
        RunForgotten,
        WorkspaceUpdated,
        AccountChosen,
        HostChosen,
        Raw,
    )
}


@record
class Event:
    """One entry of a run's ordered stream; `at` in seconds since 1970 (UTC)."""

    run: str
    seq: int
    at: float
    attempt: int
    body: Body


def status_change(
    status: Status,
    cause: Cause,
    *,
    code: str = "",
    run: str = "",
    number: int = 0,
    exit_code: int | None = None,
    not_before: float | None = None,
) -> StatusChanged:
    """Return a change of status for a cause; `code`, `run` and `number` are named in its text."""
    words = reason(cause, code=code, run=run, number=number)
    return StatusChanged(
        status, reason=words, exit_code=exit_code, not_before=not_before, cause=cause
    )


def iso(at: float) -> str:
    """Write a time as ISO 8601 in UTC, to the millisecond."""
    at = bounded_time(at)
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_TIMES = {"not_before", "resets_at", "at", "raised_at", "sent_at"}


def event_json(event: Event) -> dict[str, Any]:
    """Return the event as the JSON object of the public contract; absent values are left out."""
    fields = {name: value for name, value in asdict(event.body).items() if value is not None}
    for holder in (fields, *fields.get("windows", ()), fields.get("applied", {})):
        for name in _TIMES & holder.keys():
            holder[name] = None if holder[name] is None else iso(holder[name])
    envelope = {"run": event.run, "seq": event.seq, "at": iso(event.at), "attempt": event.attempt}
    return {**envelope, "type": event.body.type, **fields}
