"""Which run starts next: order, priority, caps, times; and what may be asked of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import requests, run_mode
from engine.domain.errors import UserError
from engine.domain.events import StatusChanged
from engine.domain.interaction import (
    ApprovalPolicy,
    DeliveryTime,
    MessageChanged,
    MessagePhase,
    ModeChange,
    RunMode,
)
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import Pause, Run, RunSpec, Status
from engine.domain.projection import View
from engine.domain.queue import QueueRules, hopeless, next_run, paused, unfinished, waits
from engine.domain.reasons import Cause
from engine.domain.stamp import stamp

SPEC = RunSpec(prompt="do it", title="a title", project="a project")
NOW = 1000.0


def run(name: str, status: Status = Status.QUEUED, *, queued_at: float = 0.0, **wish: Any) -> Run:
    return Run(name, replace(SPEC, **wish), 0.0, status, queued_at=queued_at)


def first(view: View, slots: int = 10, now: float = NOW, **rules: Any) -> str | None:
    found = next_run(view, QueueRules(slots, **rules), now)
    return found.run.id if found else None


def order(view: View) -> list[str]:
    return [queued.id for queued in view.queue()]


# Slots


def test_parent_takes_no_slot_while_a_child_has_not_ended() -> None:
    top = run("top", Status.RUNNING)
    child = run("child", parent="top", queued_at=1)
    other = run("other", queued_at=2)
    view = View([top, child, other])
    assert first(view, slots=1) == "child"
    child.status = Status.RUNNING
    assert first(view, slots=1) is None
    assert first(view, slots=2) == "other"
    child.status = Status.SUCCEEDED
    view = View([top, child, other])
    assert first(view, slots=1) is None
    assert first(view, slots=1, per_project=1) is None


# Order


def test_who_came_first_is_first_whatever_the_names() -> None:
    view = View([run("a", queued_at=3), run("b", queued_at=1), run("c", queued_at=2)])
    assert order(view) == ["b", "c", "a"]
    assert first(view) == "b"


def test_of_the_same_moment_the_older_id_is_first() -> None:
    assert order(View([run("c"), run("a"), run("b")])) == ["a", "b", "c"]


def test_priority_goes_before_age() -> None:
    view = View([run("a"), run("b", queued_at=9, priority=5), run("c", queued_at=8, priority=-1)])
    assert order(view) == ["b", "a", "c"]


def test_what_was_put_back_keeps_its_place_and_what_was_asked_for_again_does_not() -> None:
    def again(*way: StatusChanged) -> Run:
        _, made = stamp(Run("a", SPEC, 1.0), [StatusChanged(Status.QUEUED)], 1.0)
        steps = [StatusChanged(Status.PREPARING), StatusChanged(Status.RUNNING), *way]
        return stamp(made, steps, 50.0)[1]

    put_back = again(StatusChanged(Status.QUEUED, cause=Cause.AUTOMATIC_RETRY))
    asked = again(
        StatusChanged(Status.FAILED),
        StatusChanged(Status.QUEUED, reason="retry", cause=Cause.RETRY),
    )
    other = run("b", queued_at=20.0)
    assert order(View([put_back, other])) == ["a", "b"]
    assert order(View([asked, other])) == ["b", "a"]


# Slots


@pytest.mark.parametrize("status", [s for s in Status if s not in FINISHED and s != "queued"])
def test_every_active_run_takes_a_slot(status: Status) -> None:
    view = View([run("a", status), run("b")])
    assert first(view, slots=1) is None
    assert first(view, slots=2) == "b"


def test_fewer_slots_than_runs_start_nothing() -> None:
    view = View([*(run(f"a{n}", Status.RUNNING) for n in range(4)), run("b")])
    assert first(view, slots=2) is None


def test_a_project_at_its_cap_lets_the_next_project_go_first() -> None:
    busy = [run(f"r{n}", Status.RUNNING, project="one") for n in range(2)]
    view = View([*busy, run("a", project="one"), run("b", project="two", queued_at=5)])
    assert first(view, per_project=2) == "b"
    assert first(view, per_project=3) == "a"
    assert first(view) == "a"


# Times and dependencies


def test_a_time_is_waited_for_without_holding_up_the_others() -> None:
    view = View([run("a", not_before=NOW + 10), run("b", queued_at=5)])
    assert first(view) == "b"
    assert first(view, now=NOW + 10) == "a"
    assert waits(view, view.runs["a"], NOW + 9.9)


def test_the_later_of_two_times_counts() -> None:
    waiting = run("a", not_before=NOW + 5)
    waiting.not_before = NOW + 9
    view = View([waiting])
    assert first(view, now=NOW + 6) is None
    assert first(view, now=NOW + 9) == "a"


def test_a_clock_that_was_put_back_holds_up_nobody_who_waits_to_try_again() -> None:
    waiting = run("a")
    waiting.last_event_at, waiting.not_before = NOW, NOW + 20
    view = View([waiting])
    assert first(view, now=NOW + 19) is None
    assert first(view, now=NOW - 5) is None
    assert first(view, now=NOW - 500) == "a"
    waiting.spec = replace(SPEC, not_before=NOW)  # a time of the user's own is that time
    assert first(view, now=NOW - 500) is None


def test_a_limit_is_waited_for_by_the_pause_and_not_by_the_run() -> None:
    """Who ends the pause, having bought credits, does not wait for the reset."""
    limited = run("a")
    limited.cause, limited.not_before = Cause.LIMIT, NOW + 3600
    view = View([limited, run("b", queued_at=5)])
    assert first(view, pause=Pause("limit", NOW + 3600)) is None
    assert first(view) == "a"
    limited.spec = replace(SPEC, not_before=NOW + 10)
    assert first(view) == "b"


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.SUCCEEDED])
def test_what_comes_after_another_waits_for_its_success(status: Status) -> None:
    view = View([run("a", status), run("b", after=("a",)), run("c", queued_at=9)])
    assert unfinished(view, view.runs["b"]) == ["a"]
    assert first(view) == ("a" if status is Status.QUEUED else "c")
    assert hopeless(view, view.runs["b"]) == ("a" if status in FINISHED else None)


def test_what_comes_after_a_success_starts() -> None:
    view = View([run("a", Status.SUCCEEDED), run("b", Status.RUNNING), run("c", after=("a",))])
    assert first(view) == "c"
    view.runs["c"] = replace(view.runs["c"], spec=replace(SPEC, after=("a", "b")))
    assert first(view) is None


def test_what_waits_for_a_run_that_is_gone_is_hopeless() -> None:
    view = View([run("b", after=("gone",))])
    assert hopeless(view, view.runs["b"]) == "gone"


# Pauses


def test_a_pause_holds_until_its_time() -> None:
    view = View([run("a")])
    for pause, starts in (
        (Pause("asked"), None),
        (Pause("limit", NOW + 1), None),
        (Pause("limit", NOW), "a"),
        (Pause("limit", NOW - 1), "a"),
        (None, "a"),
    ):
        assert first(view, pause=pause) == starts
        assert paused(pause, NOW) is (starts is None)


waiting_runs = st.lists(
    st.tuples(
        st.sampled_from(list(Status)),
        st.sampled_from("xyz"),
        st.integers(-2, 2),
        st.floats(0, 10),
        st.none() | st.floats(NOW - 5, NOW + 5),
    ),
    max_size=12,
)
Waiting = tuple[Status, str, int, float, float | None]


@given(waiting_runs, st.integers(1, 6), st.none() | st.integers(1, 3))
def test_what_starts_never_breaks_a_rule(
    made: list[Waiting], slots: int, per_project: int | None
) -> None:
    runs = [
        run(f"r{n:02}", status, queued_at=at, project=project, priority=prio, not_before=wait)
        for n, (status, project, prio, at, wait) in enumerate(made)
    ]
    view = View(runs)
    while chosen := next_run(view, QueueRules(slots, per_project), NOW):
        found = chosen.run
        assert found.status is Status.QUEUED
        assert (found.spec.not_before or 0) <= NOW
        found.status = Status.RUNNING
        assert len(view.active()) <= slots
        same = [one for one in view.active() if one.spec.project == found.spec.project]
        assert per_project is None or len(same) <= per_project
    # Who is left has a reason to wait.
    for left in view.queue():
        same = [one for one in view.active() if one.spec.project == left.spec.project]
        full = len(view.active()) >= slots
        capped = per_project is not None and len(same) >= per_project
        assert full or capped or waits(view, left, NOW)


# What may be asked of a run


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("kill", [False, True])
def test_cancel(status: Status, kill: bool) -> None:
    asked = run("a", status)
    if status in FINISHED:
        with pytest.raises(UserError) as caught:
            requests.cancel(asked, kill=kill)
        assert caught.value.code == "RUN_NOT_CANCELLABLE"
        return
    bodies = requests.cancel(asked, kill=kill)
    if status is Status.CANCELLING and not kill:
        assert bodies == []
        return
    cause, words = (Cause.KILL, "killed") if kill else (Cause.CANCEL, "cancelled")
    ends = Status.CANCELLED if status is Status.QUEUED else Status.CANCELLING
    assert bodies == [StatusChanged(ends, reason=f"{words} by the user", cause=cause)]
    stamp(asked, bodies, 1.0)  # the lifecycle allows it


def test_killing_twice_is_once() -> None:
    asked = run("a", Status.CANCELLING)
    asked.cause = Cause.KILL
    assert requests.cancel(asked, kill=True) == []


@pytest.mark.parametrize("status", list(Status))
def test_retry_and_resume_are_for_what_has_ended(status: Status) -> None:
    asked = run("a", status)
    asked.thread_id = "t"
    if status not in FINISHED:
        for ask in (lambda: requests.retry(asked), lambda: requests.resume(asked, "x")):
            with pytest.raises(UserError) as caught:
                ask()
            assert caught.value.code == "RUN_NOT_RETRYABLE"
        return
    assert requests.retry(asked) == [
        StatusChanged(Status.QUEUED, reason="retry", cause=Cause.RETRY)
    ]
    queued, told = requests.resume(asked, "go west", message="message:1")
    resumed = StatusChanged(Status.QUEUED, reason="resume", cause=Cause.RESUME, prompt="go west")
    assert queued == resumed
    assert told == MessageChanged("message:1", MessagePhase.QUEUED, DeliveryTime.NOW, "go west")


def test_resume_needs_a_thread() -> None:
    with pytest.raises(UserError) as caught:
        requests.resume(run("a", Status.FAILED), "x")
    assert caught.value.code == "THREAD_NOT_FOUND"


def test_what_a_retry_does() -> None:
    with_thread, without = run("a", Status.FAILED), run("b", Status.FAILED)
    with_thread.thread_id = "t"
    ask = requests.retry_ask(with_thread, prompt=None, fresh=False)
    assert (ask.prompt, ask.resume, ask.fresh) == (requests.GO_ON, True, False)
    for asked, prompt, fresh in (
        (with_thread, None, True),
        (with_thread, "new", False),
        (with_thread, "new", True),
        (without, None, False),
    ):
        ask = requests.retry_ask(asked, prompt=prompt, fresh=fresh)
        assert (ask.prompt, ask.resume, ask.fresh) == (prompt or "do it", False, fresh)


@pytest.mark.parametrize(
    ("status", "recovery"),
    [
        (Status.QUEUED, "Wait until it is running, or end it with `swarm-tui cancel a`."),
        (Status.PREPARING, "Wait until it is running, or end it with `swarm-tui cancel a`."),
        (Status.VERIFYING, "Wait for its end; `swarm-tui resume a MESSAGE` goes on then."),
        (Status.CANCELLING, "Wait for its end; `swarm-tui resume a MESSAGE` goes on then."),
        (Status.FAILED, "Go on in its thread with `swarm-tui resume a MESSAGE`."),
    ],
)
def test_interrupt_without_a_turn_explains_what_is_possible(status: Status, recovery: str) -> None:
    with pytest.raises(UserError, match=f"The run a {status_words(status)}") as refused:
        requests.interrupt(run("a", status, interactive=True), "interrupt:1")
    assert (refused.value.code, refused.value.recovery) == ("RUN_NOT_INTERACTIVE", recovery)


def test_message_to_an_interactive_run_waits_unless_the_run_is_ending() -> None:
    for status in (Status.QUEUED, Status.RUNNING, Status.VERIFYING):
        told = requests.send(run("a", status, interactive=True), "1", "x", DeliveryTime.NOW)
        assert len(told) == 1
    with pytest.raises(UserError) as refused:
        requests.send(run("a", Status.CANCELLING, interactive=True), "1", "x", DeliveryTime.NOW)
    assert "--interactive" not in refused.value.recovery


def test_run_that_is_not_interactive_names_the_flag() -> None:
    with pytest.raises(UserError, match="The run a is not interactive") as refused:
        requests.interrupt(run("a", Status.RUNNING), "interrupt:1")
    assert "swarm-tui resume a --interactive MESSAGE" in refused.value.recovery


def test_mode_changes_with_the_next_attempt_and_stays() -> None:
    done = run("a", Status.SUCCEEDED)
    (queued,) = requests.retry(done, change=ModeChange(interactive=True))
    _, now = stamp(done, [queued], 5.0)
    assert (now.is_interactive, now.approval_policy) == (True, ApprovalPolicy.ON_REQUEST)
    now.status = Status.FAILED
    (queued,) = requests.retry(now)
    assert isinstance(queued, StatusChanged)
    assert (queued.mode, queued.approvals) == (None, None)
    (queued, _) = requests.resume(
        replace(now, thread_id="t"), "x", ModeChange(approvals=ApprovalPolicy.UNTRUSTED)
    )
    _, now = stamp(now, [queued], 6.0)
    assert (now.is_interactive, now.approval_policy) == (True, ApprovalPolicy.UNTRUSTED)


def test_approvals_choose_an_interactive_run_and_none_refuses_them() -> None:
    untrusted = ModeChange(approvals=ApprovalPolicy.UNTRUSTED)
    assert run_mode.changed(run("a", Status.FAILED), untrusted).interactive
    with pytest.raises(UserError, match="does not go with"):
        run_mode.changed(run("a", Status.FAILED), replace(untrusted, interactive=False))
    spec = run_mode.with_mode(
        replace(run("a").spec, approvals=ApprovalPolicy.UNTRUSTED),
        RunMode.EXEC,
        ApprovalPolicy.ON_REQUEST,
    )
    assert (spec.interactive, spec.approvals) == (True, ApprovalPolicy.UNTRUSTED)
