"""A month of usage with two rate-limit windows, for the tests of the usage screen."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from fake_engine import FakeEngine, four_runs

from engine.domain.model import Usage
from engine.domain.usage import LimitCycle, UsageGroup, UsageQuery, UsageReport, UsageRow
from tui.models.usage_options import midnight

HOUR_S, DAY_S = 3600.0, 86400.0


def used(engine: FakeEngine, days: int = 30) -> FakeEngine:
    """The engine with usage on each of the last days, and the account's limits."""
    chance = random.Random(3)
    rows = [_day(engine.now, before, chance) for before in range(days)]
    put(engine, rows)
    engine.usage.line = tuple(
        UsageRow(
            "",
            Usage(max(0, int(chance.gauss(2e5, 4e5))), 3_000, 3_000, 900, 30),
            cost_usd=chance.random(),
            starts_at=engine.now - DAY_S * 30 + n * DAY_S / 2,
            ends_at=engine.now - DAY_S * 30 + (n + 1) * DAY_S / 2,
        )
        for n in range(60)
    )
    week = Usage(51_200_000, 40_000_000, 300_000, 90_000, 700)
    engine.usage.windows = (
        window(engine, "primary", 42, 300, 2.5 * HOUR_S, Usage(1_200_000, 900_000, 30_000)),
        window(engine, "secondary", 81, 10080, 5 * DAY_S, week, full_at=engine.now + 4 * DAY_S),
    )
    return engine


def window(
    engine: FakeEngine,
    name: str,
    percent: float,
    minutes: int,
    left_s: float,
    usage: Usage,
    account: str = "default",
    full_at: float | None = None,
) -> LimitCycle:
    """A window that resets in `left_s` seconds."""
    ends = engine.now + left_s
    begin = ends - minutes * 60
    cost = usage.input / 700_000
    return LimitCycle(
        account, name, percent, minutes, begin, ends, engine.now - 30, usage, cost, full_at
    )


def _day(now: float, before: int, chance: random.Random) -> UsageRow:
    tokens = chance.randrange(100_000, 3_000_000)
    usage = Usage(tokens, int(tokens * 0.7), tokens // 20, tokens // 60, tokens // 9_000)
    begin = midnight(now, before)
    start = datetime.fromtimestamp(begin)
    return UsageRow(
        f"{start:%Y-%m-%d}",
        usage,
        chance.randrange(1, 20),
        chance.randrange(100, 40_000),
        tokens / 300_000,
        starts_at=begin,
        ends_at=(start + timedelta(days=1)).timestamp(),
    )


def put(engine: FakeEngine, rows: list[UsageRow], *, is_reading: bool = False) -> None:
    """Set the rows as the answer to every question."""
    total, costs = Usage(), [row.cost_usd for row in rows if row.cost_usd is not None]
    for row in rows:
        total += row.usage
    runs, seconds = sum(row.runs for row in rows), sum(row.seconds for row in rows)
    summed = UsageRow("total", total, runs, seconds, sum(costs) if costs else None)
    query = UsageQuery(UsageGroup.DAY)
    engine.usage.found = UsageReport(query, tuple(rows), summed, is_reading=is_reading)


def used_engine() -> FakeEngine:
    """Four runs, and a month of usage."""
    return used(four_runs())
