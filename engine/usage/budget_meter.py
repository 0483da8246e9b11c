"""Use of budgets: how much runs have used, in the unit of their budget.

Tokens are exact. Money is an estimate at list prices. Percent of a rate-limit window is an estimate
by the tokens per percent of the present window, and never more than what the account has used in
all since the runs began.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.domain.budget import Budget, BudgetUnit, written
from engine.domain.errors import user_error
from engine.domain.limit_names import is_of_plan
from engine.domain.model import Run
from engine.domain.text import printable_name
from engine.domain.usage import LimitCycle, LimitSample
from engine.store.usage_ledger import account_of
from engine.usage.pace import WindowKind, kind_of
from engine.usage.run_costs import cost_of

if TYPE_CHECKING:
    from engine.store.usage_reading import UsageReader
    from engine.usage.prices import PriceList

RATES_S = 30.0
"""Time for which the tokens per percent of the windows stay as they were read."""
GROWTH_S = 5.0
FALL = 5.0
"""Percent: a smaller fall is a late report of another run, no reset."""
_KINDS = {BudgetUnit.WEEK: WindowKind.WEEKLY, BudgetUnit.WINDOW: WindowKind.WINDOW}
Key = tuple[str, WindowKind]


class BudgetMeter:
    """Meter of what runs have used, for budgets in any unit."""

    def __init__(
        self,
        ledger: UsageReader,
        prices: PriceList,
        cycles: Callable[[], Awaitable[Sequence[LimitCycle]]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._prices = prices
        self._cycles = cycles
        self._clock = clock
        self._rates: dict[Key, float] = {}
        self._rates_at = -RATES_S
        self._growths: dict[tuple[Key, float], tuple[float, float]] = {}

    async def used(self, budget: Budget, runs: Sequence[Run], since: float) -> float | None:
        """Return what runs have used since a time; None where that is not known."""
        if budget.is_tokens:
            return sum(run.usage.input + run.usage.output for run in runs)
        if budget.unit is BudgetUnit.USD:
            costs = [cost for run in runs if (cost := self.cost(run)) is not None]
            return sum(costs) if costs else None
        kind = _KINDS.get(budget.unit)
        return None if kind is None else await self._percent(kind, runs, since)

    async def load_prices(self) -> None:
        """Load the prices in a thread: until then, the first price takes its time."""
        await self._prices.load()

    def cost(self, run: Run) -> float | None:
        """Return the estimated cost of a run in USD; None where its models have no known price."""
        return cost_of(self._prices, run)

    def check_price(self, budget: Budget, model: str) -> None:
        """Raise `UserError` PRICE_UNKNOWN if a model is named and has no price."""
        if model and self._prices.price(model) is None:
            name = printable_name(model)
            message = f"No price is known for the model {name}: a budget of {written(budget)} "
            raise user_error("PRICE_UNKNOWN", f"{message}cannot be checked.")

    async def _percent(self, kind: WindowKind, runs: Sequence[Run], since: float) -> float:
        await self._refresh_rates()
        tokens: defaultdict[str, int] = defaultdict(int)
        for run in runs:
            tokens[account_of(run)] += run.usage.input + run.usage.output
        found = 0.0
        for account, number in tokens.items():
            grown = await self._grown((account, kind), since)
            rate = self._rates.get((account, kind))
            found += min(grown, number / rate) if rate else grown
        return found

    async def _refresh_rates(self) -> None:
        now = time.monotonic()
        if now - self._rates_at < RATES_S:
            return
        self._rates_at = now
        self._rates = {
            (cycle.account, kind_of(_sample(cycle))): rate
            for cycle in await self._cycles()
            if is_of_plan(cycle.name)
            if (rate := cycle.tokens_per_percent)
        }

    async def _grown(self, key: Key, since: float) -> float:
        """Return the percent that an account has used of a window since a time."""
        read_at, known = self._growths.get((key, since), (-GROWTH_S, 0.0))
        if time.monotonic() - read_at < GROWTH_S:
            return known
        account, kind = key
        now, found = self._clock(), 0.0
        before = {
            one.name: one
            for one in await self._ledger.latest_samples(since)
            if one.account == account
        }
        for one in await self._ledger.latest_samples(now):
            is_it = one.account == account and kind_of(one) is kind
            if is_it and is_of_plan(one.name):
                later = await self._ledger.samples(account, one.name, since, now)
                first = [before[one.name]] if one.name in before else []
                found = max(found, growth([*first, *later]))
        self._growths[key, since] = (time.monotonic(), found)
        return found


def growth(samples: Iterable[LimitSample]) -> float:
    """Return the percent that were used between the first and the last sample, over resets."""
    found = 0.0
    for one, next_one in pairwise(sorted(samples, key=lambda sample: sample.at)):
        is_reset = one.resets_at is not None and one.resets_at <= next_one.at
        rise = next_one.used_percent - one.used_percent
        if is_reset or rise <= -FALL:
            found += next_one.used_percent
        else:
            found += max(0.0, rise)
    return found


def _sample(cycle: LimitCycle) -> LimitSample:
    return LimitSample(
        cycle.account, cycle.name, cycle.seen_at, cycle.used_percent, cycle.window_minutes
    )
