"""Runs, the queue they wait in, and what is found in them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from engine.domain.model import Agent, Sandbox, Status, WorkspaceKind
from engine.domain.reasons import Cause, WaitingFor
from tui.cli.json.base import Count, ErrorInfoJson, Shape, Time


class BaseJson(Shape):
    """The commit that a worktree started from."""

    ref: Annotated[str, Meta(description="as it was named: a branch, tag or commit, or HEAD")]
    commit: Annotated[str, Meta(description="what that was when the run was requested")]


class WorkspaceJson(Shape):
    """The folder a run works in."""

    path: str
    kind: WorkspaceKind
    source: str | None
    branch: str | None
    base: BaseJson | None
    cwd: Annotated[
        str, Meta(description="the folder it works in, relative to path; empty: path itself")
    ]
    in_trash: Annotated[bool, Meta(description="deleted; it can come back while the trash has it")]


class TokensJson(Shape):
    """What a run used, all its attempts together."""

    input: Count
    cached_input: Count
    output: Count


class ChangeCountJson(Shape):
    """How much a run changed, against its baseline."""

    files: Count
    insertions: Count
    deletions: Count


class TakenHomeJson(Shape):
    """A run's changes as they were last applied; files is how many were changed there."""

    how: Annotated[str, Meta(pattern="^(edits|commit|merge)$")]
    to: str
    files: Count
    checkpoint: Count
    at: Time
    commit: str | None
    branch: str | None


class LimitWindowJson(Shape):
    """One of the plan's rate-limit windows, as the run last heard of it."""

    name: str
    used_percent: float
    window_minutes: int | None
    resets_at: Time | None


class PauseJson(Shape):
    """Why the queue starts nothing, and until when (null: until it is asked to)."""

    reason: str
    waiting_for: WaitingFor
    until: Time | None


class PlaceJson(Shape):
    """A queued run's place in the queue, from 1, and what else it waits for."""

    position: Annotated[int, Meta(ge=1)] | None
    priority: int
    after: Annotated[list[str], Meta(description="runs that must succeed first")]
    not_before: Time | None
    pause: PauseJson | None


class RunJson(Shape):
    """A run as it is now."""

    id: str
    title: str
    project: str
    batch: str | None
    status: Status
    cause: Annotated[Cause | None, Meta(description="why it has its status, where that says more")]
    waiting_for: Annotated[
        WaitingFor | None, Meta(description="what holds it the longest, while it is queued")
    ]
    queue: Annotated[PlaceJson | None, Meta(description="only while it is queued")]
    progress: Annotated[int, Meta(ge=0, le=100, description="percent")]
    activity: Annotated[str, Meta(description="what it is doing, in words")]
    agent: Agent
    prompt: str
    template: str | None
    learn_from: Annotated[str | None, Meta(description="the pattern it learns from")]
    lesson: Annotated[str | None, Meta(description="what it is told of that, before the prompt")]
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    elapsed_s: float
    attempt: Annotated[int, Meta(ge=1, description="the current attempt")]
    attempts: Annotated[int, Meta(ge=1, description="how many there were")]
    thread_id: Annotated[str | None, Meta(description="Codex's own name of the thread")]
    model: str | None
    sandbox: Sandbox
    workspace: WorkspaceJson | None
    checkpoint: Annotated[int | None, Meta(description="the last one taken")]
    limits: list[LimitWindowJson]
    tokens: TokensJson
    changes: Annotated[ChangeCountJson | None, Meta(description="null: they are unknown")]
    applied: Annotated[TakenHomeJson | None, Meta(description="where its changes were applied")]
    error: ErrorInfoJson | None
    exit_code: Annotated[int | None, Meta(description="Codex's, where it ended")]
    result: Annotated[
        dict[str, Any] | list[Any] | str | float | bool | None,
        Meta(description="what --output-schema asked for; null while there is none"),
    ]


class OverlapJson(Shape):
    """Another run that changed the same files of the same source."""

    run: str
    paths: list[str]


class ListedRunJson(RunJson):
    """A run as it is now, and the runs that it gets in the way of."""

    supervised: Annotated[
        bool | None, Meta(description="false: no process supervises it; null: it has ended")
    ]
    overlaps: list[OverlapJson]


class QueueJson(Shape):
    """How the queue stands."""

    pause: PauseJson | None
    slots: Annotated[int, Meta(ge=1, description="how many runs may be active at a time")]
    active: Count
    queued: Count


class HitJson(Shape):
    """A place that says all the words: an event of a run, or its prompt (seq 1)."""

    run: str
    title: str
    project: str
    status: Status
    seq: Annotated[int, Meta(ge=1)]
    at: Time
    what: Annotated[str, Meta(description="prompt, message, command, notice, error …")]
    text: str
    marks: Annotated[list[list[int]], Meta(description="where the words stand in text: from, to")]


class FoundJson(Shape):
    """The latest places; behind are events that were not looked through yet."""

    hits: list[HitJson]
    more: bool
    behind: Count
