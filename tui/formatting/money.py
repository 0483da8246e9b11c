"""Estimated costs as people read them."""

from __future__ import annotations

from engine.domain.cost import CostSum, estimate_text, usd_text
from tui.formatting.symbols import sign


def cost_cell(usd: float | None) -> str:
    """Write a cost in a table; `–` where it is unknown."""
    return sign("–", "-") if usd is None else usd_text(usd)


def cost_label(usd: float | None) -> str:
    """Write the cost of a run, labelled as an estimate; empty where it is unknown."""
    return estimate_text(CostSum(usd))
