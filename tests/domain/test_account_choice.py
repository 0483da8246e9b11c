"""The account of the next attempt, and the holds of accounts beside a pause of the queue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.domain.account_choice import (
    AccountRules,
    account_hold,
    choose_account,
    held_accounts,
    merged,
    of_queue,
    with_hold,
    without_automatic,
    without_ended,
)
from engine.domain.model import ForkOrigin, Pause, Run, RunSpec, Workspace, WorkspaceKind
from engine.domain.queue import paused
from engine.domain.reasons import WaitingFor

NOW = 1000.0
RUN = Run("a", RunSpec("x", "x", "x"), NOW)
NAMES = ("default", "work", "spare")
NEXT, WAIT = AccountRules(NAMES, can_move=True), AccountRules(NAMES)
BY_USER = Pause("lunch")


def hold(account: str, until: float | None = NOW + 60) -> Pause:
    return Pause("limit", until, WaitingFor.LIMIT, "codex", account)


def held(*accounts: str, rules: AccountRules = NEXT) -> Pause | None:
    pause: Pause | None = None
    for account in accounts:
        pause = with_hold(pause, hold(account), rules, NOW)
    return pause


def run(named: str | None = None, at: str = "", thread: str | None = None) -> Run:
    return replace(RUN, spec=replace(RUN.spec, account=named), account=at, thread_id=thread)


@pytest.mark.parametrize(
    ("one", "rules", "full", "account"),
    [
        (run(), NEXT, (), "default"),
        (run(), NEXT, ("default",), "work"),
        (run(), NEXT, ("default", "work"), "spare"),
        (run(), NEXT, NAMES, None),
        (run(), WAIT, ("default",), None),
        (run(), WAIT, ("work",), "default"),
        (run("work"), NEXT, ("default",), "work"),
        (run("work"), NEXT, ("work",), None),
        (run("default"), NEXT, ("default",), None),
        (run(at="spare", thread="t"), NEXT, (), "spare"),
        (run(at="spare", thread="t"), NEXT, ("spare",), "default"),
        (run(at="work", thread="t"), WAIT, ("work",), None),
        (run(at="gone", thread="t"), NEXT, (), "gone"),
    ],
)
def test_the_first_with_room_unless_the_run_has_a_place(
    one: Run, rules: AccountRules, full: tuple[str, ...], account: str | None
) -> None:
    chosen = choose_account(one, rules, held(*full, rules=rules), NOW)
    assert (chosen and chosen[0]) == account


def test_a_fork_begins_where_the_thread_is() -> None:
    origin = ForkOrigin("b", Workspace("/w", WorkspaceKind.EMPTY), "t", "work")
    fork = replace(RUN, spec=replace(RUN.spec, fork=origin))
    assert choose_account(fork, NEXT, None, NOW) == ("work", "it is the first with room")
    assert choose_account(fork, NEXT, held("work"), NOW) == (
        "default",
        "the account work has no room",
    )


def test_a_reserve_closes_an_account_as_a_limit_does() -> None:
    assert choose_account(run(), NEXT, None, NOW, ("default",)) == (
        "work",
        "the account default has no room",
    )
    assert choose_account(run("work"), NEXT, None, NOW, ("work",)) is None


def test_the_queue_pauses_until_the_first_reset_of_all() -> None:
    pause = with_hold(held("default", "work"), hold("spare", NOW + 30), NEXT, NOW)
    assert paused(pause, NOW)
    assert (pause.until, pause.agent, pause.waiting_for) == (NOW + 30, "codex", WaitingFor.LIMIT)
    later = without_ended(pause, NOW + 31)
    assert later
    assert not paused(later, NOW + 31)
    assert of_queue(later) is None
    assert of_queue(pause) is pause
    assert held_accounts(later, "codex", NOW + 31).keys() == {"default", "work"}
    assert without_ended(pause, NOW + 61) is None


def test_of_two_limits_of_an_account_the_later_reset_counts() -> None:
    pause = with_hold(held("work"), hold("work", NOW + 10), NEXT, NOW)
    assert [one.until for one in pause.accounts] == [NOW + 60]


def test_a_pause_of_the_user_stays_with_all_holds() -> None:
    pause = with_hold(BY_USER, hold("work"), NEXT, NOW)
    assert (pause.reason, pause.until, len(pause.accounts)) == ("lunch", None, 1)
    assert merged(pause, Pause("disk", NOW + 5, WaitingFor.DISK), NOW) == pause
    left = without_automatic(pause, NOW)
    assert left
    assert not paused(left, NOW)
    assert left.accounts == pause.accounts
    assert without_automatic(left, NOW) is None  # asked for again, the accounts go on, too


def test_a_shortage_of_the_machine_keeps_the_holds() -> None:
    both = merged(held("work"), Pause("disk", NOW + 5, WaitingFor.DISK), NOW)
    assert both
    assert paused(both, NOW)
    assert merged(both, None, NOW + 6) == held("work")


def test_a_hold_is_shown_to_the_runs_that_wait_for_it() -> None:
    assert account_hold(run("work"), held("work"), NOW)
    assert not account_hold(run(), held("default"), NOW)  # it goes on elsewhere
    assert account_hold(run(), held("default", rules=WAIT), NOW)
    assert not account_hold(run(), held("work", rules=WAIT), NOW)
    assert not account_hold(run("work"), held("work"), NOW + 61)
