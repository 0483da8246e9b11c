"""The limits in the top bar are those of the account that is used most, named where others are."""

from __future__ import annotations

from dataclasses import replace

from engine.domain.events import Event, LimitsSeen
from engine.domain.model import LimitWindow, Run, RunSpec
from tui.models.account_limits import AccountLimits
from tui.models.filters import compile_filter

NOW = 1000.0
RUN = Run("a", RunSpec("x", "x", "x"), NOW)


def window(used: float, resets_at: float = NOW + 60) -> LimitWindow:
    return LimitWindow("primary", used, 300, resets_at)


def seen(run: Run, used: float) -> Event:
    return Event(run.id, 1, NOW, 1, LimitsSeen((window(used),)))


def test_one_account_is_not_named() -> None:
    limits = AccountLimits()
    assert limits.shown(NOW) == ("", ())
    assert limits.hear([seen(RUN, 30)], {"a": RUN})
    assert limits.shown(NOW) == ("", (window(30),))
    assert not limits.hear([], {"a": RUN})


def test_of_several_the_most_used_is_shown_by_its_name() -> None:
    work = replace(RUN, id="b", account="work", limits=(window(42),))
    limits = AccountLimits()
    limits.load([replace(RUN, limits=(window(30),)), work])
    assert limits.shown(NOW) == ("work", (window(42),))
    limits.hear([seen(RUN, 50)], {"a": RUN})
    assert limits.shown(NOW) == ("default", (window(50),))


def test_a_window_that_has_reset_does_not_count() -> None:
    work = replace(RUN, id="b", account="work", limits=(window(90, NOW - 1),))
    limits = AccountLimits()
    limits.load([replace(RUN, limits=(window(30),)), work])
    assert limits.shown(NOW)[0] == "default"


def test_the_filter_finds_runs_by_account() -> None:
    work = replace(RUN, account="work")
    assert compile_filter("account:work")(work)
    assert not compile_filter("account:work")(RUN)
    assert compile_filter("account:default")(RUN)
