"""Parts of the usage screen: columns, bars, charts and names, in any size."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from usage_samples import DAY_S, HOUR_S

from engine.domain.model import Usage
from engine.domain.usage import (
    LimitCycle,
    SessionProgress,
    UsageGroup,
    UsageQuery,
    UsageReport,
    UsageRow,
)
from tui.formatting import symbols
from tui.formatting.chart import bars, time_axis
from tui.formatting.limit_cycles import cycle_lines, line_width
from tui.formatting.properties import used_tokens
from tui.formatting.usage import columns_for, cost_of, fitting_notes, notes, time_name
from tui.models.usage_feed import STEPS, step_of
from tui.models.usage_options import GROUPS, TimeRange, UsageOptions, UsageSort, midnight
from tui.terminal.cells import cells

NOW = datetime(2026, 11, 30, 14, 0).timestamp()


@pytest.fixture(params=[True, False], ids=["unicode", "ascii"])
def unicode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    for module in ("chart", "numbers", "symbols"):
        monkeypatch.setattr(f"tui.formatting.{module}.unicode_ok", lambda: request.param)
    return bool(request.param)


def cycle(percent: float, left_s: float | None, full_s: float | None = None) -> LimitCycle:
    resets = None if left_s is None else NOW + left_s
    full = None if full_s is None else NOW + full_s
    used = Usage(9_000_000, 0, 1_000_000)
    return LimitCycle("work", "primary", percent, 10080, None, resets, NOW, used, 12.5, full)


@pytest.mark.parametrize("by", GROUPS)
def test_columns_fill_every_width_exactly(by: UsageGroup) -> None:
    row = UsageRow("x", Usage(2_000_000_000, 9, 999_999), 12345, 350_000.0, 99_999.5)
    for width in range(56, 240):
        columns = columns_for(width, by)
        heading = columns.heading("day")
        assert len(heading) == width
        assert len(heading) == 1 + columns.name_width + len(columns.gap + columns.cells(row))
        assert UsageSort.TOKENS in columns.sorts
        assert columns.column_at(width - 1) is columns.shown[-1].sort
        assert columns.column_at(1) is UsageSort.NAME


def test_cached_tokens_and_cost_have_a_column_in_80_cells() -> None:
    shown = {column.sort for column in columns_for(77, UsageGroup.DAY).shown}
    assert {UsageSort.TOKENS, UsageSort.CACHED, UsageSort.OUTPUT, UsageSort.COST} <= shown


@pytest.mark.parametrize(("count", "width"), [(1, 60), (7, 60), (60, 60), (13, 14), (0, 10)])
@pytest.mark.parametrize("height", [1, 3, 9])
def test_a_chart_fills_its_place(count: int, width: int, height: int, unicode: bool) -> None:
    rows = bars([float(n) for n in range(count)], width, height)
    assert [len(row) for row in rows] == [width] * height
    assert all(row.isascii() for row in rows) or unicode


def test_small_and_largest_values_can_be_seen(unicode: bool) -> None:
    rows = bars([1, 0, 1_000_000], 3, 4)
    assert rows[-1][0] != " "
    assert [row[1] for row in rows] == [" "] * 4
    assert {row[2] for row in rows} == {"█" if unicode else "#"}


@pytest.mark.parametrize("days", [1, 2, 30, 4000])
def test_the_time_axis_ends_now(days: int) -> None:
    line = time_axis(NOW - days * DAY_S, NOW, 70, is_now=True)
    assert len(line) == 70
    assert line.endswith("now")
    assert not time_axis(NOW - days * DAY_S, NOW, 70, is_now=False).endswith("now")


@pytest.mark.parametrize("seconds", [1, HOUR_S, DAY_S, 30 * DAY_S, 4000 * DAY_S, 1e12])
@pytest.mark.parametrize("columns", [0, 1, 50, 400])
def test_a_step_needs_no_more_columns_than_there_are(seconds: float, columns: int) -> None:
    step = step_of(seconds, columns)
    assert step >= STEPS[0]
    assert seconds / step <= max(1, columns)


def test_lines_of_limits_fit_every_width(unicode: bool) -> None:
    found = [cycle(42, HOUR_S), cycle(150, 3 * DAY_S, DAY_S), cycle(0, None), cycle(7, -HOUR_S)]
    for width in range(58, 200):
        lines = cycle_lines(found, NOW, width, lambda _: 30.0)
        assert max(map(line_width, lines)) <= width
        text = "\n".join("".join(part for part, _ in line) for line in lines)
        assert "2 days before it resets" in text
        assert "no report since" in text
        assert text.isascii() or unicode


def test_the_reserve_is_a_mark_on_the_bar() -> None:
    ((*parts,),) = cycle_lines([cycle(42, HOUR_S)], NOW, 100, lambda _: 25.0)
    bar = "".join(text for text, _ in parts[1:5])
    assert bar.index("┃") == round(20 * 0.75)
    assert cells(bar) >= 20


def test_accounts_are_named_unless_there_is_only_the_default_one() -> None:
    alone = cycle_lines([replace(cycle(42, HOUR_S), account="default")], NOW, 100)
    assert alone[0][0][0].strip() == "week"
    one = cycle(42, HOUR_S)
    lines = cycle_lines([one, replace(one, account="home\x1b[31m")], NOW, 100)
    assert lines[0][0][0].strip() == "work week"
    assert "\x1b" not in lines[1][0][0]


def test_times_are_named_as_people_say_them() -> None:
    def day(*date: int) -> str:
        return time_name(datetime(*date).timestamp(), UsageGroup.DAY, NOW)  # pyright: ignore[reportArgumentType]  year, month, day

    assert [day(2026, 11, 30), day(2026, 11, 29)] == ["today", "yesterday"]
    assert [day(2026, 11, 3), day(2025, 12, 31)] == ["Tue 3 Nov", "Wed 31 Dec 2025"]
    weeks = [datetime(2026, 11, 2), datetime(2026, 11, 30), datetime(2024, 12, 30)]
    found = [time_name(at.timestamp(), UsageGroup.WEEK, NOW) for at in weeks]
    assert found == ["2 – 8 Nov", "30 Nov – 6 Dec", "30 Dec – 5 Jan 2025"]


def test_an_unknown_cost_is_a_dash_and_a_part_without_price_is_marked() -> None:
    part = Usage(1, 0, 1)
    costs = [cost_of(UsageRow("x", part, cost_usd=usd)) for usd in (None, 1.239, 123_456_789.0)]
    assert costs == ["–", "~$1.24", "~$123.5M"]
    assert cost_of(UsageRow("x", part, cost_usd=2.0, unpriced=part)) == "~$2.00+"
    assert cost_of(UsageRow("x", part, unpriced=part)) == "–"
    report = UsageReport(UsageQuery(), total=UsageRow("total", part, cost_usd=2.0, unpriced=part))
    found = list(notes(report, without_others=True))
    assert fitting_notes(found, 30) == "without other sessions"
    assert fitting_notes(found, 99).endswith("+ models without a price")


def test_the_next_time_range_closes_an_opened_day() -> None:
    options = UsageOptions(range=TimeRange.ALL)
    assert options.since(NOW) is None
    assert options.next_range().since(NOW) == midnight(NOW)
    assert options.describe() == "all time"
    assert symbols.sign("a", "b") in "ab"


def test_the_details_of_a_run_count_requests_and_reasoning_where_they_are_known() -> None:
    assert used_tokens(Usage()) == ""
    assert used_tokens(Usage(10, 4, 3)) == "10 in (4 cached), 3 out"
    told = used_tokens(Usage(10, 4, 3, 2, 1))
    assert told == "10 in (4 cached), 3 out (2 reasoning), 1 request"
    assert used_tokens(Usage(10, 4, 3, 0, 2)).endswith("(0 reasoning), 2 requests")


def test_the_part_of_other_sessions_is_named() -> None:
    total = UsageRow("total", Usage(2_000_000), other=Usage(1_500_000, 0, 100))
    report = UsageReport(UsageQuery(), total=total, is_reading=True)
    found = list(notes(report, without_others=False))
    assert found == ["other sessions are still being read", "1.5M of other sessions"]
    progress = SessionProgress(50_000, 120, unread=2, unread_name="x", unread_reason="no access")
    report = replace(report, sessions=progress)
    assert "120 of 50000 files" in next(notes(report, without_others=False))
    report = replace(report, is_reading=False)
    assert "could not be read" in next(notes(report, without_others=False))
