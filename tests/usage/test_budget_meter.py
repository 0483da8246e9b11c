"""The meter of budgets: money by prices, percent by the ledger and by what the account used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.settings import ModelPrice
from engine.domain.budget import Budget, BudgetUnit
from engine.domain.errors import UserError
from engine.domain.model import Run, RunSpec, Usage
from engine.domain.usage import LimitCycle, LimitSample
from engine.usage.budget_meter import BudgetMeter, growth
from engine.usage.prices import PriceList

NOW = 1_767_225_600.0
SPEC = RunSpec(prompt="p", title="t", project="p", model="gpt-x")
RUN = Run("a1", SPEC, NOW - 500, usage=Usage(900_000, 0, 100_000))
WEEK = LimitSample("default", "secondary", NOW - 600, 20.0, 10080, NOW + 86_400)


class FakeLedger:
    """Samples of the account, as a test names them."""

    def __init__(self, *samples: LimitSample) -> None:
        self.all = samples
        self.reads = 0

    async def latest_samples(self, upto: float) -> list[LimitSample]:
        self.reads += 1
        newest = {one.name: one for one in self.all if one.at <= upto}
        return list(newest.values())

    async def samples(
        self, account: str, name: str, since: float, upto: float
    ) -> list[LimitSample]:
        found = (one for one in self.all if (one.account, one.name) == (account, name))
        return [one for one in found if since <= one.at <= upto]


def meter(*samples: LimitSample, cycles: Sequence[LimitCycle] = ()) -> BudgetMeter:
    async def present() -> Sequence[LimitCycle]:
        return cycles

    prices = PriceList({"gpt-x": ModelPrice(input=1.0, output=1.0)})
    return BudgetMeter(FakeLedger(*samples), prices, present, lambda: NOW)  # pyright: ignore[reportArgumentType]  what the meter reads of a ledger


def grown_to(*percents: float) -> list[LimitSample]:
    """Return reports a minute apart, the first before the run began."""
    return [replace(WEEK, at=WEEK.at + 60 * n, used_percent=it) for n, it in enumerate(percents)]


async def used(budget: Budget, it: BudgetMeter, *runs: Run) -> float | None:
    return await it.used(budget, runs or [RUN], NOW - 580)


async def test_money_is_the_cost_of_all_runs_that_have_a_price() -> None:
    other = replace(RUN, id="b2", spec=replace(SPEC, model="unknown"))
    dollar = Budget(5, BudgetUnit.USD)
    assert await used(dollar, meter(), RUN) == pytest.approx(1.0)
    assert await used(dollar, meter(), RUN, RUN, other) == pytest.approx(2.0)
    assert await used(dollar, meter(), other) is None
    assert await used(dollar, meter(), replace(RUN, model="unknown")) is None


async def test_percent_is_what_the_account_used_since_the_run_began() -> None:
    assert await used(Budget(10, BudgetUnit.WEEK), meter(*grown_to(20, 25, 31))) == 11.0
    assert await used(Budget(10, BudgetUnit.WINDOW), meter(*grown_to(20, 25, 31))) == 0.0
    assert await used(Budget(10, BudgetUnit.WEEK), meter()) == 0.0


async def test_tokens_per_percent_share_out_what_the_account_used() -> None:
    """Another session used the rest: 31 % of the window are 6.2M tokens, 1M of which are ours."""
    cycle = LimitCycle(
        "default", "secondary", 31.0, 10080, NOW - 9e5, NOW + 9e5, NOW, Usage(6_200_000)
    )
    shared = meter(*grown_to(20, 25, 31), cycles=[cycle])
    assert await used(Budget(10, BudgetUnit.WEEK), shared) == pytest.approx(5.0)
    # What it is estimated to have used is never more than the account used meanwhile.
    alone = meter(*grown_to(20, 21), cycles=[cycle])
    assert await used(Budget(10, BudgetUnit.WEEK), alone) == 1.0


async def test_the_ledger_is_not_read_at_every_look() -> None:
    it = meter(*grown_to(20, 25))
    for _ in range(5):
        await used(Budget(10, BudgetUnit.WEEK), it)
    ledger = it._ledger
    assert isinstance(ledger, FakeLedger)
    assert ledger.reads == 2


def test_growth_goes_on_over_resets_and_late_reports_do_not_count_twice() -> None:
    assert growth(grown_to(20, 25, 24, 26)) == 7.0  # 24 is a late report of another run
    assert growth(grown_to(90, 3, 5)) == 5.0
    soon = replace(WEEK, resets_at=WEEK.at + 30)
    assert growth([soon, replace(WEEK, at=WEEK.at + 60, used_percent=22.0)]) == 22.0


@given(st.lists(st.floats(0, 100), max_size=8))
def test_growth_is_never_negative(percents: list[float]) -> None:
    assert growth(grown_to(*percents)) >= 0


def test_a_model_without_a_price_is_refused_by_its_name() -> None:
    with pytest.raises(UserError) as refused:
        meter().check_price(Budget(5, BudgetUnit.USD), "gpt-none")
    assert refused.value.code == "PRICE_UNKNOWN"
    assert "gpt-none" in refused.value.message
    assert "$5" in refused.value.message
    meter().check_price(Budget(5, BudgetUnit.USD), "gpt-x")
    meter().check_price(Budget(5, BudgetUnit.USD), "")  # its model is known later


async def test_money_counts_each_model_of_a_run_at_its_own_price() -> None:
    parts = (("gpt-x", Usage(600_000, 0, 100_000)), ("no-price", Usage(300_000, 0, 0)))
    run = replace(RUN, usage_by_model=parts)
    assert await used(Budget(5, BudgetUnit.USD), meter(), run) == pytest.approx(0.7)
