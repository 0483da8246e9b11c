"""Estimates of what new runs will use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from msgspec import Meta

from engine.domain.usage import EstimateBasis, SpendEstimate
from tui.cli.json.base import Count, Shape


class WindowShareJson(Shape):
    """The part of a rate-limit window that new runs will use."""

    name: str
    window_minutes: int | None
    percent: float


class SpendEstimateJson(Shape):
    """An estimate of the usage of new runs, from similar ones; tokens are input and output."""

    runs: Annotated[Count, Meta(description="new runs")]
    tokens: Annotated[float, Meta(description="of all together: the median of the sum")]
    low: Annotated[float, Meta(description="the 10th percentile of the sum")]
    high: Annotated[float, Meta(description="the 90th percentile")]
    sample: Annotated[Count, Meta(description="ended runs that it is made from")]
    basis: Annotated[EstimateBasis, Meta(description="what these have in common with the new ones")]
    cost_usd: Annotated[float | None, Meta(description="at list prices; null: no known price")]
    shares: Annotated[list[WindowShareJson], Meta(description="of the windows, where known")]


def estimate_json(estimate: SpendEstimate | None) -> dict[str, Any] | None:
    """Return an estimate as a JSON object; None where there is none."""
    return asdict(estimate) if estimate else None
