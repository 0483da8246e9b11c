"""Long work says how much is done and about how long the rest takes."""

from __future__ import annotations

from tui.formatting.work_progress import WorkProgress


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_from_the_steps_done() -> None:
    clock = Clock()
    progress = WorkProgress("deleting", 1000, clock)
    assert (progress.words, progress.percent) == ("deleting: 0 of 1,000", 0)
    clock.now += 10
    assert progress.at(250) == "deleting: 250 of 1,000 · about 0:30 left"
    assert progress.percent == 25
    clock.now += 10
    assert progress.at(1000) == "deleting: 1,000 of 1,000"


def test_a_first_moment_and_an_unknown_number_estimate_nothing() -> None:
    clock = Clock()
    progress = WorkProgress("looking", clock=clock)
    assert (progress.words, progress.percent) == ("looking", None)
    clock.now += 0.5
    assert progress.at(1, 4) == "looking: 1 of 4"
    clock.now += 0.5
    assert progress.at(2) == "looking: 2 of 4 · about 0:01 left"
