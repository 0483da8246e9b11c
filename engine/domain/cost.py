"""The estimated cost of runs in USD, as those that show it pass it on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.domain.model import Agent, Run
from engine.domain.record import record

RunCost = Callable[[Run], float | None]
"""Estimates the cost of a run; None where it has used nothing, or no price is known."""
DIGITS = 6
"""Digits behind the point in JSON: a millionth of a dollar."""


@record
class CostSum:
    """The estimated cost of several runs."""

    usd: float | None = None
    """The cost of those with a price; None where none has one."""
    unpriced: int = 0
    """The number of runs with tokens and without a price."""


def no_cost(run: Run) -> float | None:
    """Return None: costs are not estimated here."""
    del run


def has_price(run: Run) -> bool:
    """Return whether a run has used tokens that cost something: those of a simulated one do not."""
    return run.used_tokens > 0 and run.spec.agent is not Agent.SIMULATED


def sum_costs(runs: Iterable[Run], cost: RunCost) -> CostSum:
    """Add up the costs of runs."""
    used = [(run, cost(run)) for run in runs if has_price(run)]
    known = [usd for _, usd in used if usd is not None]
    return CostSum(sum(known) if known else None, len(used) - len(known))


def usd_text(usd: float) -> str:
    """Write an estimated cost as `~$0.003`, `~$1.24`, `~$1,240` or `~$1.2M`; never as nothing."""
    if usd <= 0:
        return "$0"
    if usd < 0.0005:
        return "<$0.001"
    if usd < 0.0995:
        return f"~${usd:.3f}"
    if usd < 999.995:
        return f"~${usd:.2f}"
    return f"~${usd:,.0f}" if usd < 999_999.5 else f"~${usd / 10**6:,.1f}M"


def estimate_text(cost: CostSum) -> str:
    """Write the cost of several runs, labelled as an estimate; empty where no price is known."""
    if cost.usd is None:
        return ""
    rest = f", {cost.unpriced} without a price" if cost.unpriced else ""
    return f"{usd_text(cost.usd)} (estimate at list prices{rest})"


def cost_json(usd: float | None) -> float | None:
    """Return a cost as JSON has it."""
    return None if usd is None else round(usd, DIGITS)
