"""Why a run has its status is typed for programs, and shown in words to people."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.domain.activity import activity, waiting_for
from engine.domain.events import Event, StatusChanged, event_json, status_change
from engine.domain.model import Pause, Run, RunSpec, Status
from engine.domain.projection import fold
from engine.domain.reasons import Cause, Condition, WaitingFor
from engine.domain.run_json import run_json
from engine.domain.stamp import stamp
from tui import formatting
from tui.formatting.properties import attempts

SPEC = RunSpec(prompt="do it", title="a title", project="a project")
NOW = 1000.0
CASES = {
    Cause.CANCEL: (Status.CANCELLED, "cancelled by the user"),
    Cause.KILL: (Status.CANCELLED, "killed by the user"),
    Cause.RETRY: (Status.QUEUED, "retry"),
    Cause.RESUME: (Status.QUEUED, "resume"),
    Cause.AUTOMATIC_RETRY: (Status.QUEUED, "automatic retry 2 after API_OVERLOADED"),
    Cause.LIMIT: (Status.QUEUED, "waiting for the limit to reset: API_OVERLOADED"),
    Cause.DEPENDENCY: (Status.CANCELLED, "a1 did not succeed"),
    Cause.ERROR: (Status.FAILED, "API_OVERLOADED"),
    Cause.INTERRUPT: (Status.INTERRUPTED, "interrupted by the user"),
    Cause.MESSAGE: (Status.QUEUED, "message of the user"),
    Cause.NO_SLOT: (Status.QUEUED, "no free slot on the node"),
}


def caused(cause: Cause, not_before: float | None = None) -> StatusChanged:
    status, _ = CASES[cause]
    return status_change(
        status, cause, code="API_OVERLOADED", run="a1", number=2, not_before=not_before
    )


def after(cause: Cause, not_before: float | None = None) -> tuple[list[Event], Run]:
    """A run with the change, and its events."""
    run = Run("b2", SPEC, NOW)
    before = [StatusChanged(Status.QUEUED), StatusChanged(Status.PREPARING)]
    if CASES[cause][0] is Status.CANCELLED:
        before.append(StatusChanged(Status.CANCELLING))
    if CASES[cause][0] is Status.QUEUED:
        before.append(StatusChanged(Status.FAILED))
    return stamp(run, [*before, caused(cause, not_before)], NOW)


def test_every_cause_has_a_case() -> None:
    assert list(CASES) == list(Cause)


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_is_shown_in_words_wherever_the_run_is(cause: Cause) -> None:
    status, words = CASES[cause]
    events, run = after(cause)
    assert (run.status, run.cause, run.reason) == (status, cause, words)
    log = formatting.event_line(events[-1])
    assert log.text == f"{formatting.word(status)} · {words}"
    *_, (_, attempt, _) = attempts(events)
    assert attempt.endswith(f" · {words}")
    if status is not Status.QUEUED:
        assert activity(run, NOW) == words
    as_json = run_json(run, NOW)
    assert (as_json["cause"], as_json["status"]) == (cause.value, status.value)
    told = json.loads(json.dumps(event_json(events[-1])))
    assert (told["cause"], told["reason"]) == (cause.value, words)


def test_a_status_that_says_all_has_no_cause() -> None:
    _, run = stamp(Run("b2", SPEC, NOW), [StatusChanged(Status.QUEUED)], NOW)
    assert run_json(run, NOW)["cause"] is None
    assert "cause" not in event_json(Event("b2", 1, NOW, 1, StatusChanged(Status.QUEUED)))


def test_the_next_status_has_its_own_cause() -> None:
    _, run = after(Cause.AUTOMATIC_RETRY)
    _, run = stamp(run, [StatusChanged(Status.PREPARING)], NOW)
    assert run.cause is None


@pytest.mark.parametrize(
    ("cause", "waits"),
    [
        (Cause.AUTOMATIC_RETRY, WaitingFor.RETRY),
        (Cause.LIMIT, WaitingFor.LIMIT),
        (Cause.RETRY, WaitingFor.TIME),
    ],
)
def test_a_run_waits_for_the_time_of_its_cause(cause: Cause, waits: WaitingFor) -> None:
    _, run = after(cause, NOW + 60)
    assert waiting_for(run, NOW) is waits
    assert activity(run, NOW) == f"{CASES[cause][1]}, starts in 1:00"
    assert waiting_for(run, NOW + 60) is WaitingFor.SLOT
    later = replace(run, spec=replace(SPEC, not_before=NOW + 90))
    assert waiting_for(later, NOW) is WaitingFor.TIME


@pytest.mark.parametrize("held", WaitingFor)
def test_a_pause_says_what_the_queue_waits_for(held: WaitingFor) -> None:
    _, run = stamp(Run("b2", SPEC, NOW), [StatusChanged(Status.QUEUED)], NOW)
    pause = Pause("a reason", NOW + 90, held)
    told = run_json(run, NOW, 1, pause=pause)
    assert told["waiting_for"] == told["queue"]["pause"]["waiting_for"] == held.value
    words = {
        WaitingFor.RESERVE: "waits: a reason; resets",
        WaitingFor.PACE: "waits: a reason; next",
        WaitingFor.NODE: "waits: a reason (1st)",
    }
    assert told["activity"].startswith(words.get(held, "the queue is paused: a reason, goes on"))
    assert waiting_for(run, NOW + 90, pause=pause) is WaitingFor.SLOT


def test_a_run_waits_for_others_and_then_for_a_slot() -> None:
    spec = replace(SPEC, after=("a1",))
    events, run = stamp(Run("b2", spec, NOW), [StatusChanged(Status.QUEUED)], NOW)
    assert waiting_for(run, NOW) is WaitingFor.DEPENDENCY
    assert run_json(run, NOW, after=["a1"])["waiting_for"] == "dependency"
    assert run_json(run, NOW, after=[])["waiting_for"] == "slot"
    begun = fold(run, [replace(events[0], seq=2, body=StatusChanged(Status.PREPARING))])
    assert run_json(begun, NOW)["waiting_for"] is None


def test_a_full_disk_is_told_from_other_conditions() -> None:
    waits = {condition: condition.waiting_for for condition in Condition}
    full = {one for one, held in waits.items() if held is WaitingFor.DISK}
    assert full == {Condition.DISK, Condition.QUOTA}
    assert set(waits.values()) == {WaitingFor.DISK, WaitingFor.MACHINE}
