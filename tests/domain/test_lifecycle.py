"""Which status may follow which, and how the stream keeps to it."""

from __future__ import annotations

import pytest

from engine.domain.events import Notice, StatusChanged
from engine.domain.lifecycle import ACTIVE, CANCELLABLE, FINISHED, FOLLOWS, may_follow
from engine.domain.model import Run, RunSpec, Status
from engine.domain.stamp import TransitionError, stamp

SPEC = RunSpec(prompt="do it", title="a title", project="a project")
GOOD_WAYS = [
    "queued preparing running succeeded",
    "queued preparing running verifying succeeded",
    "queued preparing running verifying failed",
    "queued preparing running failed queued preparing running succeeded",
    "queued preparing failed",
    "queued failed",
    "queued cancelled",
    "queued preparing cancelling cancelled",
    "queued preparing running cancelling cancelled",
    "queued preparing running cancelling cancelling cancelled",
    "queued preparing running verifying cancelling cancelled",
    "queued preparing running interrupted queued",
    "queued preparing running queued preparing running verifying queued preparing",
]
WRONG_STEPS = [
    "queued running",
    "queued succeeded",
    "preparing succeeded",
    "cancelling queued",
    "running cancelled",
    "cancelling succeeded",
    "cancelling running",
    "succeeded failed",
    "cancelled cancelling",
    "failed running",
]


def queued() -> Run:
    _, run = stamp(Run("a", SPEC, 100.0), [StatusChanged(Status.QUEUED)], 100.0)
    return run


@pytest.mark.parametrize("way", GOOD_WAYS)
def test_a_run_may_go_this_way(way: str) -> None:
    _, *rest = map(Status, way.split())
    events, run = stamp(queued(), [StatusChanged(status) for status in rest], 101.0)
    assert run.status is rest[-1]
    assert [event.body.previous for event in events] == [Status(s) for s in way.split()[:-1]]


@pytest.mark.parametrize("step", WRONG_STEPS)
def test_a_run_may_not_take_this_step(step: str) -> None:
    previous, following = map(Status, step.split())
    assert not may_follow(previous, following)
    run = queued()
    run.status = previous
    with pytest.raises(TransitionError):
        stamp(run, [StatusChanged(following)], 101.0)


def test_every_status_has_its_place() -> None:
    assert FOLLOWS.keys() == set(Status)
    assert {Status.QUEUED} | ACTIVE | FINISHED == set(Status)
    assert not ACTIVE & FINISHED
    stoppable = {status for status in Status if may_follow(status, Status.CANCELLING)}
    assert stoppable - {Status.CANCELLING} | {Status.QUEUED} == CANCELLABLE


def test_a_finished_run_only_ever_begins_again() -> None:
    assert all(FOLLOWS[status] == {Status.QUEUED} for status in FINISHED)


def test_success_comes_only_from_work() -> None:
    before = {status for status in Status if may_follow(status, Status.SUCCEEDED)}
    assert before == {Status.RUNNING, Status.VERIFYING}


def test_every_status_can_reach_an_end() -> None:
    reached = set(FINISHED)
    for _ in Status:
        reached |= {status for status in Status if FOLLOWS[status] & reached}
    assert reached == set(Status)


def test_a_new_attempt_begins_where_the_run_is_queued_again() -> None:
    way = ["preparing", "failed", "queued", "preparing"]
    events, run = stamp(queued(), [StatusChanged(Status(s)) for s in way], 101.0)
    assert [event.attempt for event in events] == [1, 1, 2, 2]
    assert run.attempt == 2


def test_nothing_is_numbered_if_one_step_is_wrong() -> None:
    run = queued()
    with pytest.raises(TransitionError):
        stamp(run, [Notice("info", "a"), StatusChanged(Status.SUCCEEDED)], 101.0)
    assert run.seq == 1


def test_time_never_goes_back_within_a_run() -> None:
    events, run = stamp(queued(), [Notice("info", "a")], 50.0)
    assert events[0].at == 100.0
    assert run.last_event_at == 100.0
