"""Batches: planned, started, ranked and compared."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.domain.model import Status
from engine.domain.ranking import CheckOutcome, Merit
from tui.cli.json.base import Cost, Count, Shape, Time
from tui.cli.json.estimates import SpendEstimateJson
from tui.cli.json.runs import BudgetJson, RunJson, TokensJson


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
    cost_usd: Cost
    unpriced_runs: Annotated[
        Count, Meta(description="runs with tokens and without a known price, not part of cost_usd")
    ]
    budget: Annotated[int | None, Meta(description="the shared budget if it is in tokens")]
    budget_limit: Annotated[
        BudgetJson | None, Meta(description="the most that its runs may use together")
    ]
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
    """A run of a comparison and its changed lines by file."""

    run: str
    status: Status
    check: Annotated[CheckOutcome | None, Meta(description="of its verify command")]
    changes: Annotated[dict[str, str] | None, Meta(description="null: unknown")]
    insertions: Count | None
    deletions: Count | None
    tokens: Count
    cost_usd: Cost
    elapsed_s: float
    last_message: str | None


class ComparisonJson(Shape):
    """Runs side by side, the best first; why lists the reasons for the winner."""

    given: dict[str, str]
    winner: str | None
    why: list[Merit]
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
    estimate: Annotated[
        SpendEstimateJson | None, Meta(description="null: too few similar runs have ended")
    ]
    planned: list[PlannedRunJson]
    to_trust: list[ToTrustJson]
