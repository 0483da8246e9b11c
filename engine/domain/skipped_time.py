"""Time that passed on the wall clock only: the machine slept, or the clock was moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.domain.activity import clock
from engine.domain.model import Run, Status
from engine.domain.record import record

STEP_S = 2.0
"""A smaller gap is drift: it does not become an event."""


@record
class ClockGap:
    """A gap between the wall clock and the time awake, in seconds; negative: it was moved back."""

    total_s: float
    slept_s: float = 0.0

    @property
    def jumped_s(self) -> float:
        """The part of it that no sleep explains."""
        return self.total_s - self.slept_s


def gap_words(gap: ClockGap) -> str:
    """Write what happened in one line: the machine slept, the clock was moved, or both."""
    parts: list[str] = []
    if gap.slept_s >= STEP_S:
        parts.append(f"the machine slept for {clock(round(gap.slept_s))}")
    if abs(gap.jumped_s) >= STEP_S or not parts:
        where = "forward" if gap.jumped_s > 0 else "back"
        parts.append(f"the clock was moved {where} by {clock(abs(round(gap.jumped_s)))}")
    return "; ".join(parts)


def shift_times(run: Run, skipped_s: float, at: float) -> None:
    """Move the times that a run counts from, so that the skipped time does not count.

    `at` is the time after the gap. For `projection` alone: the run is changed in place.
    """

    def moved(time: float) -> float:
        if skipped_s > 0 and time > at - STEP_S:
            return time  # stored after the gap, by another process
        return min(time + skipped_s, at)

    if run.started_at is not None:
        run.skipped_s += skipped_s
    run.doing_since = moved(run.doing_since)
    run.last_sign_at = moved(run.last_sign_at)
    _shift_requests(run, moved)
    if pace := run.plan_pace:
        began_at, moved_at = moved(pace.began_at), moved(pace.moved_at)
        run.plan_pace = replace(pace, began_at=began_at, moved_at=moved_at)
    if run.status is Status.QUEUED and skipped_s < 0:
        # Forward, a wait is simply over; back, it must not take longer than it was to take.
        run.queued_at = moved(run.queued_at)
        if run.not_before is not None:
            run.not_before += skipped_s


def _shift_requests(run: Run, moved: Callable[[float], float]) -> None:
    def shifted(time: float | None) -> float | None:
        return None if time is None else moved(time)

    run.asked_since = shifted(run.asked_since)
    run.answered_since = shifted(run.answered_since)
    run.notified_at = shifted(run.notified_at)
    run.input_requests = tuple(
        replace(one, raised_at=shifted(one.raised_at)) for one in run.input_requests
    )
