"""Reports of usage: every grouping has the same total, and names its groups truthfully."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger import Ledger

from engine.domain.model import Usage
from engine.domain.usage import (
    FORGOTTEN_RUNS,
    OTHER_SESSIONS,
    SIMULATED,
    SLOT_S,
    UsageGroup,
    UsageQuery,
    UsageRow,
)

G = UsageGroup
SUMMED = [group for group in UsageGroup if group is not UsageGroup.CYCLE]
NOON = 1_767_268_800.0  # 2026-01-01 12:00:00 UTC, a Thursday
DAY_S = 86_400


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger(NOON)
    yield made
    made.db.close()


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Set another time zone with `set_zone`; it ends with the test."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def set_zone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TZ", name)
    time.tzset()


def keys(rows: tuple[UsageRow, ...]) -> list[str]:
    return [row.key for row in rows]


def total(rows: tuple[UsageRow, ...]) -> Usage:
    return reduce(Usage.__add__, (row.usage for row in rows), Usage())


names = st.sampled_from(["a", "b", "=cmd|x", "\x1b[31m", "other sessions", "", "é" * 300])
models = st.sampled_from(["gpt-5", "gpt-4", "unknown", "", SIMULATED])
tokens = st.integers(0, 10**6)
rows = st.tuples(
    st.booleans(),  # elsewhere
    st.sampled_from(["r1", "r2", "r3", "gone"]),
    st.floats(0, 4e9),
    st.builds(Usage, tokens, tokens, tokens),
    models,
    names,
    names,
)


@given(st.lists(rows, max_size=30, unique_by=lambda row: (row[1], row[2] // SLOT_S, *row[4:6])))
def test_every_grouping_sums_up_to_the_ledger(found: list[tuple]) -> None:
    ledger = Ledger()
    for run, batch in (("r1", "nightly"), ("r2", None), ("r3", "other sessions")):
        ledger.add_run(run, batch)
    for is_elsewhere, name, at, usage, model, account, project in found:
        add = ledger.use_elsewhere if is_elsewhere else ledger.use
        add(name, at, usage, model, account, project)
    whole = reduce(Usage.__add__, (row[3] for row in found), Usage())
    other = reduce(Usage.__add__, (row[3] for row in found if row[0]), Usage())
    runs = {row[1] for row in found if not row[0]}

    async def check() -> None:
        for by in SUMMED:
            report = await ledger.report(by=by)
            assert total(report.rows) == report.total.usage == whole, by
            assert report.total.other == other
            assert report.total.runs == len(runs)
            known = [row.cost_usd for row in report.rows if row.cost_usd is not None]
            assert sum(known) == pytest.approx(report.total.cost_usd or 0.0)
            own = await ledger.report(by=by, has_other_sessions=False)
            assert own.total.usage + other == whole
        points = await ledger.reports.points(UsageQuery(), 3600)
        assert total(points) == whole
        assert len(points) <= 401

    asyncio.run(check())
    ledger.db.close()


async def test_nothing_is_reported_of_an_empty_home(ledger: Ledger) -> None:
    for by in UsageGroup:
        report = await ledger.report(by=by)
        assert (report.rows, report.total) == ((), UsageRow("total"))
    assert await ledger.reports.points(UsageQuery(), 60) == ()
    assert await ledger.reports.cycles() == ()


async def test_forgotten_runs_count_as_one_row_where_they_have_no_name(ledger: Ledger) -> None:
    ledger.add_run("kept", "nightly")
    ledger.add_run("alone")
    for run, tokens in (("kept", 5), ("alone", 3), ("gone-1", 2), ("gone-2", 2)):
        ledger.use(run, NOON, Usage(tokens))
    by_run = await ledger.report(by=G.RUN)
    assert keys(by_run.rows) == ["kept", FORGOTTEN_RUNS, "alone"]
    assert [row.is_forgotten for row in by_run.rows] == [False, True, False]
    assert [row.runs for row in by_run.rows] == [1, 2, 1]
    by_batch = await ledger.report(by=G.BATCH)
    assert keys(by_batch.rows) == ["nightly", FORGOTTEN_RUNS, ""]
    for by in (G.DAY, G.PROJECT, G.MODEL, G.ACCOUNT):
        (row,) = (await ledger.report(by=by)).rows
        assert (row.usage.input, row.runs, row.is_forgotten) == (12, 4, False)


async def test_other_sessions_are_a_row_unless_their_project_is_known(ledger: Ledger) -> None:
    ledger.add_run("a")
    ledger.use("a", NOON, Usage(5), project=OTHER_SESSIONS)
    ledger.use_elsewhere("t1", NOON, Usage(3))
    ledger.use_elsewhere("t2", NOON, Usage(2), project="garden")
    report = await ledger.report(by=G.PROJECT)
    assert [(row.key, row.is_other_sessions, row.runs, row.usage.input) for row in report.rows] == [
        (OTHER_SESSIONS, False, 1, 5),
        (OTHER_SESSIONS, True, 0, 3),
        ("garden", False, 0, 2),
    ]
    (day,) = (await ledger.report()).rows
    assert (day.usage, day.other, day.runs) == (Usage(10), Usage(5), 1)
    assert day.other_cost_usd == pytest.approx((day.cost_usd or 0.0) / 2)
    ledger.use_elsewhere("t2", NOON, Usage(7), "mystery")
    (day,) = (await ledger.report()).rows
    assert day.unpriced == day.other_unpriced == Usage(7)
    selected = await ledger.report(by=G.RUN, runs=frozenset({"a", "b"}))
    assert keys(selected.rows) == ["a"]
    assert (await ledger.report(runs=frozenset())).rows == ()


@pytest.mark.parametrize("name", ["project", "model", "account"])
async def test_one_project_model_or_account_counts_alone(ledger: Ledger, name: str) -> None:
    for value in ("", "a", "b"):
        place = {name: value}
        ledger.use(f"run-{value}", NOON, Usage(len(value) + 1), **place)
        ledger.use_elsewhere(f"thread-{value}", NOON, Usage(10), **place)
    for value, tokens in (("", 11), ("a", 12), ("b", 12), ("c", 0)):
        report = await ledger.report(**{name: value})
        assert report.total.tokens == tokens
        assert (await ledger.report(by=UsageGroup(name), **{name: value})).total.tokens == tokens


async def test_unknown_models_have_tokens_without_a_cost(ledger: Ledger) -> None:
    ledger.use("a", NOON, Usage(500_000, 0, 500_000), "gpt-5")
    ledger.use("a", NOON, Usage(7), "mystery")
    ledger.use("a", NOON, Usage(9), SIMULATED, SIMULATED)
    report = await ledger.report(by=G.MODEL)
    assert [(row.key, row.cost_usd, row.unpriced) for row in report.rows] == [
        ("gpt-5", 1.0, Usage()),
        (SIMULATED, None, Usage()),
        ("mystery", None, Usage(7)),
    ]
    assert (report.total.cost_usd, report.total.unpriced) == (1.0, Usage(7))
    assert keys((await ledger.report(by=G.ACCOUNT)).rows) == ["default", SIMULATED]
    assert (await ledger.report(account="default")).total.usage.input == 500_007
    assert (await ledger.report(account="work")).rows == ()


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("UTC", [24, 24]),
        ("Europe/Berlin", [23, 24]),  # the clock goes forward on 2026-03-29
        ("Asia/Kathmandu", [24, 24]),  # 5 h 45 min ahead
        ("Australia/Lord_Howe", [24, 24]),  # half an hour of daylight saving, a week later
    ],
)
async def test_days_are_those_of_the_local_time(
    ledger: Ledger, zone: pytest.MonkeyPatch, name: str, hours: list[int]
) -> None:
    set_zone(zone, name)
    midnights = [datetime(2026, 3, day).timestamp() for day in (29, 30, 31)]
    for midnight in midnights[:2]:
        ledger.use("late", midnight - 1, Usage(1))
        ledger.use("early", midnight, Usage(10))
    found = (await ledger.report()).rows
    assert [(row.key, row.usage.input, row.runs) for row in found] == [
        ("2026-03-28", 1, 1),
        ("2026-03-29", 11, 2),
        ("2026-03-30", 10, 1),
    ]
    assert [row.starts_at for row in found[1:]] == midnights[:2]
    lengths = [(row.ends_at or 0) - (row.starts_at or 0) for row in found[1:]]
    assert lengths == [3600 * hour for hour in hours]
    only = await ledger.report(since=midnights[0], until=midnights[1])
    assert keys(only.rows) == ["2026-03-29"]
    assert only.total.usage.input == 11


async def test_a_day_has_25_hours_when_the_clock_goes_back(
    ledger: Ledger, zone: pytest.MonkeyPatch
) -> None:
    set_zone(zone, "Europe/Berlin")
    start = datetime(2026, 10, 25).timestamp()
    for hour in range(25):
        ledger.use("a", start + hour * 3600, Usage(1))
    ((day),) = (await ledger.report()).rows
    assert (day.key, day.usage.input) == ("2026-10-25", 25)
    assert (day.ends_at or 0) - start == 25 * 3600


async def test_weeks_begin_on_monday(ledger: Ledger, zone: pytest.MonkeyPatch) -> None:
    set_zone(zone, "America/New_York")
    for day in (28, 29, 30, 31):  # Sunday, Monday and two more of December
        ledger.use("a", datetime(2025, 12, day, 23, 59).timestamp(), Usage(1))
    ledger.use("a", datetime(2026, 1, 4, 23, 59).timestamp(), Usage(1))  # Sunday
    found = (await ledger.report(by=G.WEEK)).rows
    assert [(row.key, row.usage.input) for row in found] == [("2025-12-22", 1), ("2025-12-29", 4)]
    assert found[1].ends_at == datetime(2026, 1, 5).timestamp()


async def test_hostile_numbers_are_no_error(ledger: Ledger) -> None:
    ledger.use("a", NOON, Usage())
    ledger.db.execute("UPDATE usage_slots SET input = 9223372036854775807")
    ledger.use("b", NOON, Usage(1))
    ledger.db.execute("UPDATE usage_slots SET input = 9223372036854775807, cached = -5")
    ledger.use("c", 1e14, Usage(1))  # no calendar has this day
    for by in UsageGroup:
        report = await ledger.report(by=by)
        assert report.total.usage.input > 0 or by is UsageGroup.CYCLE
        assert report.total.usage.cached == 0
    for since in (float("nan"), float("-inf"), -1e300):
        assert (await ledger.report(since=since)).total.runs == 3
    assert (await ledger.report(until=float("nan"))).rows == ()
    assert keys((await ledger.report(since=1e300)).rows) == [""]
    assert len(await ledger.reports.points(UsageQuery(since=0, until=1e300), 1e-9)) <= 401


async def test_steps_without_usage_are_points(ledger: Ledger) -> None:
    ledger.use("a", NOON, Usage(1))
    ledger.use_elsewhere("t", NOON + 3 * SLOT_S, Usage(2))
    points = await ledger.reports.points(UsageQuery(), SLOT_S)
    assert [point.usage.input for point in points] == [1, 0, 0, 2]
    assert [point.starts_at for point in points] == [NOON + n * SLOT_S for n in range(4)]
    query = UsageQuery(since=NOON - DAY_S, until=NOON + DAY_S)
    points = await ledger.reports.points(query, 3600)
    assert len(points) == 48
    assert (points[0].starts_at, points[-1].ends_at) == (query.since, query.until)
    assert len(await ledger.reports.points(query, 1)) <= 401
    mine = replace(query, runs=frozenset({"a"}))
    assert total(await ledger.reports.points(mine, 3600)) == Usage(1)


async def test_the_work_is_that_of_the_range_of_time(ledger: Ledger) -> None:
    """100,000 rows of 10,000 runs: a few look-ups by time, never one for each run."""
    rows = (
        (f"run-{number % 10_000}", number, "gpt-5", "default", "p", 1, 0, 0, 0, 0)
        for number in range(100_000)
    )
    ledger.db.executemany(
        "INSERT INTO usage_slots (run, slot, model, account, project, input, cached, output,"
        " reasoning, requests) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    since = 99_000 * SLOT_S
    for by in SUMMED:
        report = await ledger.report(by=by, since=since)
        assert report.total.usage.input == 1000
    await ledger.reports.points(UsageQuery(since=since), 3600)
    assert len(ledger.asked) <= 5 * (len(SUMMED) + 1)
    assert "SCAN usage_slots" not in ledger.plans()
    assert "USING INDEX usage_slots_slot (slot>? AND slot<?)" in ledger.plans()
    ledger.asked.clear()
    assert (await ledger.report(by=G.RUN)).total.usage.input == 100_000
    assert "SEARCH usage_slots" not in ledger.plans()


async def test_selected_runs_are_looked_up_by_name(ledger: Ledger) -> None:
    await ledger.report(runs=frozenset({"a", "b"}))
    assert "SEARCH usage_slots USING PRIMARY KEY (run=?" in ledger.plans()
