"""Formatting of estimates: what new runs will use, and what that is based on."""

from __future__ import annotations

from engine.domain.model import LimitWindow
from engine.domain.usage import EstimateBasis, SpendEstimate, WindowShare
from tui.formatting.limits import window_name
from tui.formatting.money import cost_cell
from tui.formatting.numbers import tokens

_BASES = {
    EstimateBasis.TEMPLATE: "of this template",
    EstimateBasis.PROJECT: "of this project",
    EstimateBasis.ALL: "of this home",
}


def estimate_words(estimate: SpendEstimate) -> str:
    """Write an estimate as a sentence.

    `20 runs like these take about 3.1M tokens (1.9M to 4.8M), ~$4.00, 12% of the week; from 43 runs
    of this template`.
    """
    one = estimate.runs == 1
    runs = "A run like this takes" if one else f"{estimate.runs} runs like these take"
    low, high = tokens(round(estimate.low)), tokens(round(estimate.high))
    spread = "" if low == high else f" ({low} to {high})"
    facts = [f"about {tokens(round(estimate.tokens))} tokens{spread}"]
    if estimate.cost_usd is not None:
        facts.append(cost_cell(estimate.cost_usd))
    facts += map(_share, estimate.shares)
    return f"{runs} {', '.join(facts)}; from {basis_words(estimate)}"


def basis_words(estimate: SpendEstimate) -> str:
    """Write what an estimate is made from: `43 runs of this template`."""
    return f"{estimate.sample} runs {_BASES[estimate.basis]}"


def _share(share: WindowShare) -> str:
    name = window_name(LimitWindow(share.name, 0.0, share.window_minutes))
    figure = f"{share.percent:.0f}%" if share.percent >= 1 else "<1%"
    return f"{figure} of the {name if name == 'week' else f'{name} window'}"
