"""What a plan says about the time left, and what a run does while its plan moves."""

from __future__ import annotations

from engine.domain.activity import activity, is_quiet, time_left_s
from engine.domain.events import Body, Notice, PlanChanged, Progressed, StatusChanged, Step
from engine.domain.model import PlanItem, Run, RunSpec, Stage, Status
from engine.domain.projection import NETWORK_WAIT, fold
from engine.domain.reasons import Subject
from engine.domain.stamp import stamp


def at_work() -> Run:
    run = Run("a", RunSpec("Do it", "Do it", "demo"), 0.0)
    start = (StatusChanged(Status.PREPARING), StatusChanged(Status.RUNNING))
    return then(run, 0, *start, Progressed(Stage.EXECUTING, "thinking", 30))


def then(run: Run, at: float, *bodies: Body) -> Run:
    events, _ = stamp(run, bodies, at)
    return fold(run, events)


def plan(done: int, of: int = 6) -> PlanChanged:
    return PlanChanged(tuple(PlanItem(f"step {n}", n < done) for n in range(of)))


def test_the_steps_that_are_done_tell_the_time_left() -> None:
    run = then(at_work(), 100, plan(1))
    assert time_left_s(run, 110) is None
    run = then(run, 130, plan(2))
    assert time_left_s(run, 130) is None, "one step tells nothing"
    run = then(run, 140, plan(3))
    assert time_left_s(run, 140) == 20 * 3
    assert time_left_s(run, 150) == 20 * 2 + 10
    run = then(run, 165, Step("assistant", "message", "completed", "Busy"))
    assert time_left_s(run, 170) == 20 * 2
    assert time_left_s(run, 181) is None, "this step takes much longer than the others"


def test_nothing_is_guessed_of_a_plan_that_is_done_or_a_run_that_is_not_at_work() -> None:
    run = then(at_work(), 100, plan(0))
    run = then(run, 140, plan(4))
    assert time_left_s(run, 140) == 20
    assert time_left_s(then(run, 141, plan(6)), 142) is None
    assert (
        time_left_s(
            then(run, 141, Notice("warning", "stalled: silent for 5:00", subject=Subject.STALLED)),
            142,
        )
        is None
    )
    ended = then(run, 141, StatusChanged(Status.FAILED))
    assert time_left_s(ended, 142) is None
    again = then(ended, 150, StatusChanged(Status.QUEUED, Status.FAILED))
    assert time_left_s(again, 151) is None


def test_a_command_goes_on_while_the_plan_moves() -> None:
    started = Step("tool", "command", "started", "pytest -q", "pytest -q")
    run = then(at_work(), 10, plan(0), started)
    run = then(run, 20, plan(1), Progressed(Stage.EXECUTING, "1 of 6 steps done", 38))
    assert activity(run, 30) == "running `pytest -q` for 0:20"
    assert run.percent == 38
    ended = Step("tool", "command", "completed", "pytest -q", "pytest -q", 0)
    assert activity(then(run, 30, ended), 30) == "thinking"


def test_a_plan_that_moves_ends_a_wait_for_the_network() -> None:
    run = then(
        at_work(),
        10,
        plan(0),
        Notice("warning", f"{NETWORK_WAIT}: reconnecting 1/5", subject=Subject.NETWORK),
    )
    assert activity(run, 12) == NETWORK_WAIT
    run = then(run, 20, plan(1), Progressed(Stage.EXECUTING, "1 of 6 steps done", 38))
    assert activity(run, 21) == "thinking"


def test_a_run_is_quiet_when_it_only_thinks_for_long() -> None:
    run = then(at_work(), 10, plan(0))
    assert not is_quiet(run, 69)
    assert is_quiet(run, 70)
    assert activity(run, 70) == "silent for 1:00"
    busy = then(run, 20, Step("tool", "command", "started", "make", "make"))
    assert not is_quiet(busy, 500)
    assert not is_quiet(then(run, 20, StatusChanged(Status.SUCCEEDED)), 500)
