"""Rate-limit windows since their last reset, whatever was reported of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledger import Ledger

from engine.domain.model import Usage
from engine.domain.usage import SIMULATED, LimitCycle, LimitSample, UsageGroup

NOW = 1_767_268_800.0  # 2026-01-01 12:00:00 UTC
HOUR_S = 3600
WEEK_MIN = 7 * 1440


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger(NOW)
    yield made
    made.db.close()


def sample(at: float = NOW - 60, used: float = 42.0, **more: object) -> LimitSample:
    known = {"window_minutes": 300, "resets_at": NOW + HOUR_S, **more}
    name, account = known.pop("name", "primary"), known.pop("account", "default")
    return LimitSample(account, name, at, used, **known)  # type: ignore[arg-type]  # any kinds


async def only(ledger: Ledger) -> LimitCycle:
    (cycle,) = await ledger.reports.cycles()
    return cycle


async def test_a_window_counts_what_was_used_since_its_start(ledger: Ledger) -> None:
    ledger.sample(sample(NOW - 7200, 12))
    ledger.sample(sample())
    ledger.use("before", NOW - 4 * HOUR_S - 300, Usage(7))
    ledger.use("first", NOW - 4 * HOUR_S, Usage(3_000_000))
    ledger.use_elsewhere("thread", NOW, Usage(0, 0, 1_200_000))
    ledger.use("free", NOW, Usage(9), SIMULATED, SIMULATED)
    ledger.use("free", NOW, Usage(9), SIMULATED)
    ledger.use("another", NOW, Usage(5), account="work")
    cycle = await only(ledger)
    assert (cycle.used_percent, cycle.starts_at) == (42.0, NOW - 4 * HOUR_S)
    assert cycle.usage == Usage(3_000_000, 0, 1_200_000)
    assert cycle.cost_usd == pytest.approx(4.2)
    assert cycle.tokens_per_percent == 100_000


async def test_each_account_has_windows_of_its_own(ledger: Ledger) -> None:
    for account in ("default", "work"):
        for name, minutes in (("primary", 300), ("secondary", WEEK_MIN)):
            for minute in range(50):
                at = NOW - 60 * minute
                ledger.sample(sample(at, 50 - minute, account=account, name=name,
                                     window_minutes=minutes))  # fmt: skip
    ledger.use("a", NOW - 60, Usage(5), account="work")
    ledger.asked.clear()
    found = await ledger.reports.cycles()
    assert [(one.account, one.name, one.used_percent) for one in found] == [
        ("default", "primary", 50),
        ("default", "secondary", 50),
        ("work", "primary", 50),
        ("work", "secondary", 50),
    ]
    assert [one.usage.input for one in found] == [0, 0, 5, 5]
    assert len(ledger.asked) <= 25
    assert (
        ledger.plans().count("SCAN limit_samples") == 1
    )  # the first window, which ends at the first row
    report = await ledger.report(by=UsageGroup.CYCLE, account="work")
    assert [row.key for row in report.rows] == ["work primary", "work secondary"]
    assert [row.runs for row in report.rows] == [1, 1]
    assert report.total.usage == Usage(5)


async def test_a_window_that_has_reset_is_empty(ledger: Ledger) -> None:
    ledger.sample(sample(NOW - 9000, 97, resets_at=NOW - 600))
    ledger.use("before", NOW - 1200, Usage(5))
    ledger.use("since", NOW - 300, Usage(3))
    cycle = await only(ledger)
    assert (cycle.used_percent, cycle.starts_at, cycle.resets_at) == (0.0, NOW - 600, NOW - 600)
    assert cycle.usage.input == 3
    assert cycle.tokens_per_percent is None
    ledger.now += 30 * 86_400  # nobody worked for a month
    cycle = await only(ledger)
    assert cycle.starts_at == ledger.now - 300 * 60
    assert cycle.usage == Usage()


async def test_a_weekly_window_that_moved_begins_where_it_is_now(ledger: Ledger) -> None:
    for at, resets_at in ((NOW - 900, NOW + 2 * 86_400), (NOW - 60, NOW + 6 * 86_400)):
        ledger.sample(sample(at, 3, window_minutes=WEEK_MIN, resets_at=resets_at))
    ledger.use("old", NOW - 3 * 86_400, Usage(5))
    ledger.use("new", NOW - 3600, Usage(2))
    cycle = await only(ledger)
    assert cycle.starts_at == NOW - 86_400
    assert cycle.usage.input == 2


async def test_a_sample_of_a_clock_that_went_ahead_is_passed_over(ledger: Ledger) -> None:
    ledger.sample(sample(NOW + 30 * 86_400, 99))
    assert await ledger.reports.cycles() == ()
    ledger.sample(sample(NOW - 60, 12))
    assert (await only(ledger)).used_percent == 12


@pytest.mark.parametrize(
    ("minutes", "resets_at"),
    [
        (None, NOW + 60),
        (0, NOW + 60),
        (-5, NOW + 60),
        (10**15, NOW + 60),
        (300, None),
        (300, 2.5e11),
        (300, float("inf")),
        (300, NOW + 86_400),
    ],
)
async def test_the_start_of_an_implausible_window_is_unknown(
    ledger: Ledger, minutes: int | None, resets_at: float | None
) -> None:
    ledger.sample(sample(window_minutes=minutes, resets_at=resets_at))
    ledger.use("a", NOW, Usage(5))
    cycle = await only(ledger)
    assert (cycle.used_percent, cycle.starts_at) == (42.0, None)
    assert cycle.usage == Usage()
    assert cycle.tokens_per_percent is None
    (row,) = (await ledger.report(by=UsageGroup.CYCLE)).rows
    assert row.usage == Usage()


@pytest.mark.parametrize(("used", "shown"), [(-3.0, 0.0), (1e300, 1000.0), (float("inf"), 1000.0)])
async def test_an_implausible_percentage_is_bounded(
    ledger: Ledger, used: float, shown: float
) -> None:
    ledger.sample(sample(used=used))
    assert (await only(ledger)).used_percent == shown
