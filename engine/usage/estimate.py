"""Estimate of the tokens that new runs will use, from similar runs that have ended."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, quantiles

from engine.domain.limit_names import is_of_plan
from engine.domain.model import RunSpec
from engine.domain.record import record
from engine.domain.usage import EstimateBasis, LimitCycle, SpendEstimate, SpentRun, WindowShare
from engine.usage.folding import Price

LATEST, LEAST = 200, 5
"""The ended runs that count: the latest so many, and at least so many."""
DRAWS = 300
"""Sums that the spread is taken from."""
LEAST_PERCENT = 3.0
"""With less of a window used, its tokens per percent are too coarse: agents report whole ones."""


@record
class _Kind:
    """Properties by which runs are similar."""

    agent: str
    template: str
    model: str
    project: str


@record
class _Sample:
    """Ended runs that new ones of a kind are like."""

    runs: tuple[SpentRun, ...]
    basis: EstimateBasis


def estimate(
    specs: Iterable[RunSpec], spent: Sequence[SpentRun], price: Price
) -> SpendEstimate | None:
    """Estimate the tokens and the cost of new runs; None where too few similar ones have ended.

    `spent` are the ended runs, the latest first. The same question always has the same answer.
    """
    kinds = Counter(map(_kind, specs))
    samples = {kind: _sample(kind, spent) for kind in kinds}
    known = [(sample, kinds[kind]) for kind, sample in samples.items() if sample]
    if not known or len(known) < len(kinds):
        return None
    sums = _sums(known)
    cuts = quantiles(sums, n=10)
    return SpendEstimate(
        runs=kinds.total(),
        tokens=(middle := quantiles(sums, n=2)[0]),
        low=min(cuts[0], middle),
        high=max(cuts[-1], middle),
        sample=len({one for sample, _ in known for one in sample.runs}),
        basis=max((sample.basis for sample, _ in known), key=list(EstimateBasis).index),
        cost_usd=_cost(known, middle, price),
    )


def shares(tokens: float, cycles: Iterable[LimitCycle], account: str) -> tuple[WindowShare, ...]:
    """Return the shares of the windows of an account that tokens will use, where it is known."""
    return tuple(
        WindowShare(cycle.name, cycle.window_minutes, tokens / per_percent)
        for cycle in cycles
        if is_of_plan(cycle.name)
        if cycle.account == account and cycle.used_percent >= LEAST_PERCENT
        if (per_percent := cycle.tokens_per_percent)
    )


def _kind(spec: RunSpec) -> _Kind:
    return _Kind(spec.agent.value, spec.template or "", spec.model or "", spec.project)


def _sample(kind: _Kind, spent: Sequence[SpentRun]) -> _Sample | None:
    """Return the nearest runs that are enough: of the template, of the project, or of the home."""
    same = [one for one in spent if one.agent == kind.agent]
    choices: list[tuple[EstimateBasis, Callable[[SpentRun], bool]]] = [
        (EstimateBasis.PROJECT, lambda one: (one.project, one.model) == (kind.project, kind.model)),
        (EstimateBasis.ALL, lambda one: True),
    ]
    if kind.template:
        of_template = (kind.template, kind.model)
        choices.insert(
            0, (EstimateBasis.TEMPLATE, lambda one: (one.template, one.model) == of_template)
        )
    for basis, is_like in choices:
        found = tuple([one for one in same if is_like(one)][:LATEST])
        if len(found) >= LEAST:
            return _Sample(found, basis)
    return None


def _sums(known: Sequence[tuple[_Sample, int]]) -> list[float]:
    """Draw sums of new runs; each draw takes another sample, as other runs might have ended."""
    chance = random.Random(0)
    tokens = [([one.tokens for one in sample.runs], count) for sample, count in known]
    return [
        float(sum(_drawn(chance, counts, number) for counts, number in tokens))
        for _ in range(DRAWS)
    ]


def _drawn(chance: random.Random, tokens: Sequence[int], count: int) -> int:
    return sum(chance.choices(chance.choices(tokens, k=len(tokens)), k=count))


def _cost(known: Sequence[tuple[_Sample, int]], tokens: float, price: Price) -> float | None:
    """Return the cost of these tokens at the prices of the ended runs; None where one is unknown.

    The shares of input, cached input and output are those of the ended runs.
    """
    cost, expected = 0.0, 0.0
    for sample, count in known:
        paid = [price(one.billed_model, one.usage) for one in sample.runs]
        prices = [one for one in paid if one is not None]
        if len(prices) < len(paid):
            return None
        cost += count * fmean(prices)
        expected += count * fmean(one.tokens for one in sample.runs)
    return cost * tokens / expected if expected else None
