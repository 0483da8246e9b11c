"""Batches: planned, started, ranked and compared."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.domain.model import Status
from tui.cli.json.base import Count, Shape, Time
from tui.cli.json.runs import RunJson, TokensJson


class BatchJson(Shape):
    """Runs started together; live counts those that have not ended, budget limits all together."""

    id: str
    name: str
    template: str | None
    made_of: Annotated[str, Meta(description="a file, a matrix, a number of copies, in words")]
    created_at: Time
    started_at: Time | None
    finished_at: Annotated[Time | None, Meta(description="once all have ended")]
    runs: Count
    live: Count
    counts: Annotated[dict[Status, Count], Meta(description="runs by status")]
    progress: Annotated[int, Meta(ge=0, le=100, description="percent")]
    pass_rate: Annotated[float | None, Meta(description="succeeded of those that ended, 0 to 1")]
    tokens: TokensJson
    budget: int | None
    left_s: Annotated[float | None, Meta(description="estimated time left")]


class TaskJson(Shape):
    """A task of a batch and its runs, the best first."""

    given: dict[str, str]
    winner: Annotated[str | None, Meta(description="the best, once all have ended")]
    runs: list[RunJson]


class BatchResultsJson(BatchJson):
    """A batch and its results."""

    tasks: list[TaskJson]


class ComparedJson(Shape):
    """A run of a task and its changed lines by file."""

    run: str
    status: Status
    changes: Annotated[dict[str, str] | None, Meta(description="null: unknown")]


class ComparisonJson(Shape):
    """The runs of a task side by side, the best first."""

    given: dict[str, str]
    winner: str | None
    runs: list[ComparedJson]


class PlannedRunJson(Shape):
    """A run that would start."""

    title: str
    prompt: str
    given: dict[str, str]


class ToTrustJson(Shape):
    """The requests of a repository's file, which must be trusted before anything starts."""

    file: str
    asks: list[str]


class BatchPlanJson(Shape):
    """The planned runs; disk is the initial size of their workspaces, in bytes."""

    runs: Count
    disk: int | None
    free: Count
    made_of: str
    planned: list[PlannedRunJson]
    to_trust: list[ToTrustJson]
