"""Forecasts of rate-limit windows: pace, resets in between, and hostile samples."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from math import isclose

from hypothesis import given
from hypothesis import strategies as st
from ledger import Ledger

from engine.domain.model import LimitWindow
from engine.domain.usage import LimitForecast, LimitSample, PaceBasis
from engine.usage.forecast import DAYS_S, HORIZON_S, forecast
from tui import formatting

NOW = datetime(2026, 11, 30, 10, 0).timestamp()  # a Monday
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
WEEK_MINUTES = 7 * 24 * 60


def sample(
    ago: float, used: float, resets_in: float | None = 4 * DAY, minutes: int | None = WEEK_MINUTES
) -> LimitSample:
    resets_at = None if resets_in is None else NOW + resets_in
    return LimitSample("default", "secondary", NOW - ago, used, minutes, resets_at)


def known(samples: list[LimitSample], now: float = NOW) -> LimitForecast:
    found = forecast(samples, now)
    assert found
    return found


def test_nothing_or_a_single_sample_makes_no_forecast() -> None:
    assert forecast([], NOW) is None
    assert forecast([sample(HOUR, 50)], NOW) is None


def test_two_samples_of_a_few_minutes_make_no_forecast() -> None:
    assert forecast([sample(5 * MINUTE, 50), sample(0, 60)], NOW) is None


def test_the_last_hour_counts_where_it_fills_the_window_within_a_day() -> None:
    found = known([sample(2.5 * DAY, 10), sample(HOUR, 50), sample(0, 60)])
    assert found == LimitForecast(NOW + 4 * HOUR, 10.0, PaceBasis.HOUR)


def test_the_last_days_count_where_the_hour_reaches_further_than_a_day() -> None:
    found = known([sample(2 * DAY, 2), sample(HOUR, 49), sample(0, 50)])
    assert found.basis is PaceBasis.DAYS
    assert isclose(found.percent_per_hour, 1)
    assert isclose(found.full_at or 0, NOW + 50 * HOUR)


def test_a_window_that_resets_before_it_is_full_has_no_such_time() -> None:
    found = known([sample(2 * DAY, 2, 2 * HOUR), sample(HOUR, 49, 2 * HOUR), sample(0, 50, 7200)])
    assert found.full_at is None
    assert isclose(found.percent_per_hour, 1)


def test_an_idle_hour_makes_no_forecast_out_of_an_earlier_burst() -> None:
    samples = [sample(8 * HOUR, 30, DAY), sample(7 * HOUR, 60, DAY), sample(59 * MINUTE, 60, DAY)]
    found = known(samples)
    assert found.basis is PaceBasis.DAYS
    assert isclose(found.percent_per_hour, 30 / 8)


def test_unchanged_usage_before_the_first_sample_of_the_hour_counts_as_time() -> None:
    found = known([sample(2 * HOUR, 40, DAY), sample(10 * MINUTE, 41, DAY), sample(0, 45, DAY)])
    assert found.percent_per_hour < 5


def test_usage_elsewhere_while_no_run_reported_is_no_burst_of_the_hour() -> None:
    found = known([sample(2 * DAY, 40), sample(MINUTE, 80)])
    assert isclose(found.percent_per_hour, 40 / 48, rel_tol=0.01)
    assert found.full_at is not None and found.full_at > NOW + 20 * HOUR


def test_a_reset_in_between_is_no_negative_pace() -> None:
    samples = [
        sample(60 * MINUTE, 90, -30 * MINUTE, 300),
        sample(40 * MINUTE, 95, -30 * MINUTE, 300),
        sample(20 * MINUTE, 2, 4.5 * HOUR, 300),
        sample(0, 7, 4.5 * HOUR, 300),
    ]
    found = known(samples)
    assert isclose(found.percent_per_hour, 5 + 7)
    assert found.full_at is None


def test_a_reset_is_seen_without_any_time_of_it() -> None:
    samples = [sample(60 * MINUTE, 80, None), sample(40 * MINUTE, 90, None)]
    found = known([*samples, sample(20 * MINUTE, 3, None), sample(0, 5, None)])
    assert isclose(found.percent_per_hour, 10 + 5)


def test_late_reports_of_other_runs_do_not_add_up() -> None:
    samples = [sample(60 * MINUTE - step * MINUTE, 40 + step % 2) for step in range(60)]
    assert isclose(known(samples).percent_per_hour, 1, rel_tol=0.02)


def test_a_late_report_of_the_cycle_before_is_no_reset() -> None:
    old = sample(10 * MINUTE, 95, -20 * MINUTE, 300)
    samples = [sample(30 * MINUTE, 1, 4 * HOUR, 300), sample(15 * MINUTE, 3, 4 * HOUR, 300)]
    found = known([*samples, old, sample(0, 4, 4 * HOUR, 300)])
    assert isclose(found.percent_per_hour, 6)


def test_a_rolling_window_whose_reset_moves_with_each_report_is_one_cycle() -> None:
    samples = [
        sample(60 * MINUTE - step * HOUR / 3, 40 + step, DAY + step * HOUR) for step in range(4)
    ]
    assert isclose(known(samples).percent_per_hour, 3)


def test_a_window_that_has_reset_since_has_no_forecast() -> None:
    assert forecast([sample(HOUR, 50, -MINUTE), sample(20 * MINUTE, 90, -MINUTE)], NOW) is None


def test_a_full_window_is_full_since_it_was_seen_full() -> None:
    samples = [sample(HOUR, 90), sample(20 * MINUTE, 100), sample(10 * MINUTE, 101)]
    assert known(samples).full_at == NOW - 20 * MINUTE


def test_a_reset_in_a_thousand_years_is_not_believed() -> None:
    hostile = sample(30 * MINUTE, 55, 1000 * 365 * DAY)
    found = known([sample(HOUR, 50), hostile, sample(0, 60)])
    assert found.full_at == NOW + 4 * HOUR


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
SAMPLES = st.lists(
    st.builds(
        LimitSample,
        st.just("default"),
        st.just("primary"),
        NUMBERS | st.floats(NOW - DAYS_S, NOW),
        NUMBERS | st.floats(0, 100),
        st.none() | st.integers(-(10**30), 10**30) | st.just(300),
        st.none() | NUMBERS | st.floats(NOW - DAY, NOW + 7 * DAY),
    ),
    max_size=8,
)


@given(SAMPLES)
def test_hostile_samples_never_fail_and_never_make_a_time_in_the_wrong_place(
    samples: list[LimitSample],
) -> None:
    found = forecast(samples, NOW)
    if found is None:
        return
    assert found.percent_per_hour >= 0
    if found.full_at is not None:
        is_full = any(one.at == found.full_at and one.used_percent >= 100 for one in samples)
        assert found.full_at >= NOW or is_full
    if found.basis is PaceBasis.HOUR and found.full_at is not None:
        assert found.full_at <= NOW + HORIZON_S
    assert formatting.full_words(LimitWindow("primary", 50), found.full_at, NOW) is not None


@given(st.lists(st.floats(0, 90), min_size=2, max_size=6), st.floats(0, 9))
def test_more_usage_is_never_full_later(used: list[float], more: float) -> None:
    used.sort()
    samples = [sample(HOUR * (len(used) - n) / len(used), one) for n, one in enumerate(used)]
    fuller = [*samples[:-1], sample(HOUR / len(used), used[-1] + more)]
    found, later = forecast(samples, NOW), forecast(fuller, NOW)
    assert found and later
    if found.full_at is not None:
        assert later.full_at is not None and later.full_at <= found.full_at


def test_the_words_name_the_time_and_its_distance_from_the_reset() -> None:
    full_at = datetime(2026, 12, 1, 14, 0).timestamp()
    week = LimitWindow("secondary", 60, WEEK_MINUTES, full_at + 19 * HOUR)
    assert formatting.full_words(week, full_at, NOW) == (
        "at this pace the weekly window is full on Tue 14:00, 19 h before it resets"
    )
    assert formatting.full_words(week, full_at, NOW, brief=True) == "week full Tue 14:00"


def test_the_words_are_empty_where_the_window_resets_before() -> None:
    week = LimitWindow("secondary", 60, WEEK_MINUTES, NOW + HOUR)
    assert formatting.full_words(week, NOW + 2 * HOUR, NOW) == ""
    assert formatting.full_words(week, None, NOW) == ""


def test_a_full_window_is_named_with_its_reset() -> None:
    window = LimitWindow("primary", 100, 300, datetime(2026, 11, 30, 12, 30).timestamp())
    assert formatting.full_words(window, NOW - 60, NOW) == "the 5h window is full until 12:30"
    assert formatting.full_words(window, NOW - 60, NOW, brief=True) == "5h full until 12:30"


async def test_every_window_of_an_account_has_its_own_forecast() -> None:
    ledger = Ledger(NOW)
    for one in (sample(30 * MINUTE, 50), sample(0, 60)):
        ledger.sample(one)
        ledger.sample(replace(one, account="work", used_percent=60.0))
    full = [(one.account, one.full_at) for one in await ledger.reports.cycles()]
    assert full == [("default", NOW + 2 * HOUR), ("work", None)]


async def test_many_samples_cost_one_for_each_ten_minutes() -> None:
    ledger = Ledger(NOW)
    for second in range(0, int(DAY), 20):
        ledger.sample(sample(second, 90 - 60 * second / DAY))
    read = await ledger.reports._ledger.samples("default", "secondary", NOW - DAYS_S, NOW)
    assert len(read) < 24 * 6 + 60 + 2
    (cycle,) = await ledger.reports.limits()
    assert cycle.full_at is not None and isclose(cycle.full_at, NOW + 4 * HOUR, abs_tol=MINUTE)
    assert "(account=? AND name=? AND at>? AND at<?)" in ledger.plans()
