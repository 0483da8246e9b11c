"""Decisions of the pace: a reserve of each window, starts that are spread, and hostile reports."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import settings
from engine.config.settings import QueueSettings
from engine.domain.activity import paused_words
from engine.domain.errors import UserError
from engine.domain.reasons import WaitingFor
from engine.domain.usage import LimitSample
from engine.usage.pace import SLACK_PERCENT, WindowKind, find_hold, kind_of

NOW = 1_767_225_600.0
HOUR = 3600.0
WEEK = LimitSample("default", "secondary", NOW - 60, 72.0, 7 * 1440, NOW + 80 * HOUR)
SHORT = LimitSample("default", "primary", NOW - 60, 85.0, 300, NOW + 2 * HOUR)


def queue(text: str) -> QueueSettings:
    """Return the settings of a queue, as a file has them."""
    return settings.parse(f"queue: {text}", "config.yaml").queue


RESERVE = queue("{reserve: {weekly: 30%, window: 20%}}")
EVEN = queue("{pace: even, reserve: {weekly: 30%}}")


def test_a_reserve_holds_from_its_percentage_on_until_the_reset() -> None:
    hold = find_hold(RESERVE, [WEEK], NOW)
    assert hold
    assert (hold.waiting_for, hold.until, hold.account) == (
        WaitingFor.RESERVE,
        WEEK.resets_at,
        "default",
    )
    assert hold.reason == "30 % of the week is reserved; 72 % used"
    assert paused_words(hold, NOW).startswith("waits: 30 % of the week is reserved; 72 % used; res")
    assert find_hold(RESERVE, [replace(WEEK, used_percent=69.9)], NOW) is None
    assert find_hold(RESERVE, [replace(WEEK, used_percent=70.0)], NOW)
    assert find_hold(RESERVE, [WEEK], NOW + 80 * HOUR) is None


def test_each_window_has_its_own_reserve_and_the_longest_hold_counts() -> None:
    short = find_hold(RESERVE, [SHORT], NOW)
    assert short
    assert short.reason == "20 % of the 5 h window is reserved; 85 % used"
    both = find_hold(RESERVE, [SHORT, WEEK], NOW)
    assert both
    assert both.until == WEEK.resets_at
    assert find_hold(queue("{reserve: {window: 20%}}"), [WEEK], NOW) is None
    assert find_hold(queue("{reserve: {weekly: 30%}}"), [SHORT], NOW) is None


@pytest.mark.parametrize("windows", [[], [replace(WEEK, resets_at=NOW - 1)]])
def test_nothing_is_held_where_nothing_is_known(windows: list[LimitSample]) -> None:
    assert find_hold(queue("{reserve: {weekly: 100%}, pace: even}"), windows, NOW) is None


def test_without_reserve_a_full_window_is_not_held() -> None:
    assert find_hold(QueueSettings(), [replace(WEEK, used_percent=100.0)], NOW) is None
    assert (
        find_hold(queue("{reserve: {weekly: 0%}}"), [replace(WEEK, used_percent=100)], NOW) is None
    )


def test_a_report_of_a_clock_that_was_put_back_holds_nothing() -> None:
    ahead = replace(WEEK, at=NOW + 365 * 24 * HOUR, resets_at=NOW + 366 * 24 * HOUR)
    assert find_hold(RESERVE, [ahead], NOW) is None


def test_a_reset_that_is_too_late_for_its_window_is_not_waited_for() -> None:
    hold = find_hold(RESERVE, [replace(SHORT, resets_at=NOW + 1e9)], NOW)
    assert hold
    assert hold.until == SHORT.at + 5 * HOUR


def test_a_window_without_reset_or_length_is_held_for_the_usual_length() -> None:
    bare = LimitSample("default", "secondary", NOW, 90.0)
    hold = find_hold(RESERVE, [bare], NOW)
    assert hold
    assert hold.until == NOW + 7 * 24 * HOUR
    assert kind_of(replace(bare, name="primary")) is WindowKind.WINDOW
    assert kind_of(replace(SHORT, window_minutes=7 * 1440)) is WindowKind.WEEKLY


def test_even_pace_holds_until_the_used_part_is_due() -> None:
    begun = NOW - 0.5 * 7 * 24 * HOUR  # half of the week is over: 35 of 70 % are due
    week = replace(WEEK, resets_at=begun + 7 * 24 * HOUR)
    assert find_hold(EVEN, [replace(week, used_percent=35.0 + SLACK_PERCENT)], NOW) is None
    hold = find_hold(EVEN, [replace(week, used_percent=42.0 + SLACK_PERCENT)], NOW)
    assert hold
    assert hold.waiting_for is WaitingFor.PACE
    assert hold.until == pytest.approx(NOW + 0.1 * 7 * 24 * HOUR)
    assert hold.reason == "starts are spread over the week; 44 % used"
    assert "; next start " in paused_words(hold, NOW)


def test_even_pace_lets_a_fresh_window_start_and_ends_with_the_reset() -> None:
    fresh = replace(SHORT, used_percent=SLACK_PERCENT, resets_at=NOW - 60 + 5 * HOUR)
    assert find_hold(EVEN, [fresh], NOW) is None
    full = find_hold(EVEN, [replace(SHORT, used_percent=400.0)], NOW)
    assert full
    assert full.until == SHORT.resets_at
    assert (
        find_hold(EVEN, [replace(SHORT, resets_at=None)], NOW) is None
    )  # since when, nobody knows


@pytest.mark.parametrize("value", ["101%", "-1", "true", "lots", "1e9", "30 %%", "[1]", "٣%"])
def test_an_invalid_percentage_is_named(value: str) -> None:
    with pytest.raises(UserError) as refused:
        queue(f"{{reserve: {{weekly: {value}}}}}")
    assert "percentage from 0% to 100%" in refused.value.message


def test_percentages_are_shown_as_they_are_written() -> None:
    config = settings.parse("queue: {reserve: {weekly: 12.5, window: ' 20 % '}}", "config.yaml")
    assert "weekly: 12.5%" in settings.text(config)
    assert settings.plain(config)["queue"]["reserve"] == {"weekly": 12.5, "window": 20.0}
    assert settings.parse(settings.text(config), "config.yaml") == config


_numbers = st.floats(allow_nan=True, allow_infinity=True)
_times = st.one_of(st.none(), _numbers, st.floats(NOW - 1e6, NOW + 1e6))
_samples = st.builds(
    LimitSample,
    st.just("default"),
    st.sampled_from(["primary", "secondary", "x"]),
    st.one_of(st.floats(NOW - 1e6, NOW + 1e6), _numbers),
    _numbers,
    st.one_of(st.none(), st.integers(-5, 10**15)),
    _times,
)
_settings = st.builds(
    lambda weekly, window, pace: queue(
        f"{{reserve: {{weekly: {weekly}%, window: {window}%}}, pace: {pace}}}"
    ),
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from(["none", "even"]),
)


@given(_settings, st.lists(_samples, max_size=4), st.floats(NOW - 1e5, NOW + 1e5))
def test_a_hold_always_ends_and_no_report_breaks_the_decision(
    rules: QueueSettings, windows: list[LimitSample], now: float
) -> None:
    hold = find_hold(rules, windows, now)
    if hold is None:
        return
    assert hold.until is not None
    assert now < hold.until
    assert paused_words(hold, now)
    assert find_hold(rules, windows, hold.until + 1e-3 * abs(hold.until)) is None


@given(_settings, st.floats(0, 100), st.floats(0, 5 * HOUR))
def test_a_hold_ends_at_the_time_that_it_names(
    rules: QueueSettings, used: float, before_s: float
) -> None:
    window = replace(SHORT, used_percent=used, resets_at=NOW + before_s)
    hold = find_hold(rules, [window], NOW)
    if hold:
        assert hold.until
        assert find_hold(rules, [window], hold.until - 1.0) or hold.until - NOW < 1.0
        assert find_hold(rules, [window], hold.until + 1.0) is None
