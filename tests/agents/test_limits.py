"""When a limit resets: each text that Codex is known to say, and many that it never would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.agents.codex.limit_resets import (
    LONGEST_S,
    MARGIN_S,
    UNKNOWN_MAX_S,
    UNKNOWN_S,
    resets_at,
)
from engine.domain.model import LimitWindow

PLUS = (
    "You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit "
    "https://chatgpt.com/settings/usage to purchase more credits or try again at {}."
)
PRO = (
    "You’ve hit your usage limit. Visit https://chatgpt.com/settings/usage to purchase more "
    "credits or try again at {}."
)
TEAM = (
    "You’ve hit your usage limit. To get more access now, send a request to your admin or "
    "try again at {}."
)
PREFIX = "The plan's usage limit was reached: "
UNSAID = "You’ve hit your usage limit. Try again later."


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """New York: it puts its clocks forward and back."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(fold=fold).timestamp()


def waits(message: str, now: float, *windows: LimitWindow, hits: int = 0) -> float:
    """How long the message says to wait, without the margin."""
    return resets_at(message, windows, hits, now) - MARGIN_S - now


def full(resets: float | None, used: float = 100, name: str = "primary") -> LimitWindow:
    return LimitWindow(name, used, 300, resets)


@pytest.mark.parametrize("text", [PLUS, PRO, TEAM, PREFIX + PLUS])
@pytest.mark.parametrize(
    ("now", "said", "then"),
    [
        ("2026-11-22 15:10:20", "3:50 PM", "2026-11-22 15:50"),
        ("2026-11-22 11:59:59", "12:00 PM", "2026-11-22 12:00"),
        ("2026-11-22 23:30", "12:05 AM", "2026-11-23 00:05"),
        ("2026-12-31 23:59", "1:00 AM", "2027-01-01 01:00"),
        ("2026-11-22 15:10", "Nov 25th, 2026 2:50 PM", "2026-11-25 14:50"),
        ("2026-11-22 15:10", "Dec 1st, 2026 12:00 AM", "2026-12-01 00:00"),
        ("2026-12-30 15:10", "Jan 2nd, 2027 12:30 PM", "2027-01-02 12:30"),
        ("2026-12-30 15:10", "Jan 3rd, 2027 9:05 AM", "2027-01-03 09:05"),
    ],
)
def test_the_time_that_is_said(text: str, now: str, said: str, then: str) -> None:
    assert resets_at(text.format(said), (), 0, at(now)) == at(then) + MARGIN_S


def test_a_minute_that_has_begun_is_now_and_not_tomorrow() -> None:
    now = at("2026-11-22 15:50:30")
    assert waits(TEAM.format("3:50 PM"), now) == 1
    assert waits(TEAM.format("3:49 PM"), now) == 24 * 3600 - 90


@pytest.mark.parametrize(
    ("now", "fold", "said", "wait_s"),
    [
        # On 1 November 2026 the hour from 1 to 2 comes twice.
        ("2026-11-01 00:30", 0, "1:30 AM", 3600),
        ("2026-11-01 01:50", 0, "1:10 AM", 1200),
        ("2026-11-01 01:10", 1, "1:30 AM", 1200),
        ("2026-11-01 01:50", 1, "2:10 AM", 1200),
        ("2026-11-01 00:30", 0, "2:30 AM", 3 * 3600),
        ("2026-10-31 23:30", 0, "3:00 AM", 4.5 * 3600),
        # On 8 March 2026 the hour from 2 to 3 is left out.
        ("2026-03-08 01:30", 0, "3:30 AM", 3600),
        ("2026-03-07 23:30", 0, "4:00 AM", 3.5 * 3600),
    ],
)
def test_where_the_clocks_change(now: str, fold: int, said: str, wait_s: float) -> None:
    assert waits(TEAM.format(said), at(now, fold)) == wait_s


def test_a_time_that_the_clocks_skip_is_still_near() -> None:
    assert 0 < waits(TEAM.format("2:30 AM"), at("2026-03-08 01:00")) <= 2 * 3600


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [
        ("try again in 5 minutes.", 300),
        ("try again in 2 hours 5 minutes", 7500),
        ("try again in 3 days, 1 hour, 30 seconds", 3 * 86400 + 3630),
    ],
)
def test_older_versions_say_how_long(said: str, wait_s: float) -> None:
    assert waits(f"You've hit your usage limit. Or {said}", at("2026-11-22 15:10")) == wait_s


def test_without_a_word_the_full_window_tells() -> None:
    now = at("2026-11-22 15:10")
    for message in (UNSAID, "exceeded retry limit, last status: 429 Too Many Requests", ""):
        assert waits(message, now, full(now + 90), full(now + 20, 99)) == 90
        assert waits(message, now, full(now + 90), full(now + 4000, 100.5)) == 4000


def test_the_window_knows_the_second_of_the_minute_that_is_said() -> None:
    now = at("2026-11-22 15:10")
    exact = at("2026-11-22 15:50:40")
    for windows in ([full(exact)], [full(now + 9000), full(exact)]):
        assert resets_at(TEAM.format("3:50 PM"), windows, 0, now) == exact + MARGIN_S
    assert waits(TEAM.format("3:50 PM"), now, full(now + 10)) == 2400


def test_where_nothing_is_known_the_wait_grows_up_to_a_bound() -> None:
    now = at("2026-11-22 15:10")
    waited = [resets_at(UNSAID, (), hits, now) - now for hits in range(12)]
    assert waited[:4] == [UNKNOWN_S * 2**n for n in range(4)]
    assert waited[4:] == [UNKNOWN_MAX_S] * 8
    assert resets_at(UNSAID, (), 10**9, now) - now == UNKNOWN_MAX_S


@pytest.mark.parametrize(
    "said",
    [
        *("25:99 PM", "3:75 PM", "99:00 AM", "soon", "", "3 PM", "15:50"),
        *("Foo 25th, 2026 2:50 PM", "Nov 31st, 2026 2:50 PM", "Nov 25th, 0000 2:50 PM"),
        *("Nov 25th, 2020 2:50 PM", "Nov 25th, 9999 11:59 PM", "Nov 25th, 2026 14:50 PM"),
    ],
)
def test_what_cannot_be_meant_counts_as_unsaid(said: str) -> None:
    now = at("2026-11-22 15:10")
    assert resets_at(TEAM.format(said), (), 0, now) == now + UNKNOWN_S
    assert waits(TEAM.format(said), now, full(now + 90)) == 90


@pytest.mark.parametrize("resets", [None, -1.0, 0.0, 1e30, float("inf"), float("nan")])
def test_a_window_that_cannot_be_meant_is_none(resets: float | None) -> None:
    now = at("2026-11-22 15:10")
    assert resets_at(UNSAID, [full(resets)], 0, now) == now + UNKNOWN_S


TIMES = ["try again at ", "try again in ", "Nov ", "th, ", "days", "hours", "minute", "AM", "PM"]
pieces = st.sampled_from(
    [*TIMES, *"0123456789 :,", "99999999999999999999", "２", "٣", "2026", "\x00"]
)


@given(st.lists(pieces, max_size=20).map("".join), st.integers(0, 50), st.floats(0, 4e9))
def test_any_text_gives_a_time_that_comes(message: str, hits: int, now: float) -> None:
    for text in (message, f"try again at {message}", f"try again in {message}"):
        assert now < resets_at(text, (), hits, now) <= now + LONGEST_S + 2 * MARGIN_S
