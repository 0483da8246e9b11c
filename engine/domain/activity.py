"""What a run is doing now, in words."""

from __future__ import annotations

from engine.domain.model import Run, Status

QUIET_S = 60.0
"""A run that thinks without a word for this long is called silent."""


def clock(seconds: float) -> str:
    """Write a length of time as `0:42`, `12:05` or `1:02:03`; never negative."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds_left:02}"
    return f"{minutes}:{seconds_left:02}"


def ordinal(number: int) -> str:
    """Write 1 as `1st`, 2 as `2nd`, 11 as `11th`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def elapsed_s(run: Run, now: float) -> float:
    """Give the seconds this attempt has taken so far, or took."""
    if run.started_at is None:
        return 0.0
    end = now if run.finished_at is None else run.finished_at
    return max(0.0, end - run.started_at)


def activity(run: Run, now: float, position: int | None = None) -> str:
    """Say what the run is doing at `now`; `position` is its place in the queue, from 1."""
    match run.status:
        case Status.QUEUED:
            return _waiting(run, now, position)
        case Status.PREPARING:
            return run.doing or "preparing the workspace"
        case Status.CANCELLING:
            return f"stopping for {clock(now - run.doing_since)}"
        case Status.RUNNING | Status.VERIFYING:
            return _working(run, now)
        case _:
            return run.error.message if run.error else run.reason


def _waiting(run: Run, now: float, position: int | None) -> str:
    not_before = max(run.not_before or 0.0, run.spec.not_before or 0.0)
    if now < not_before:
        return f"{run.reason or 'waiting for its time'}, starts in {clock(not_before - now)}"
    place = f" ({ordinal(position)})" if position else ""
    if run.spec.after:
        return f"waiting for {', '.join(run.spec.after)}{place}"
    return f"waiting for a slot{place}"


def _working(run: Run, now: float) -> str:
    busy_s = now - run.doing_since
    if run.doing.startswith("running "):
        return f"{run.doing} for {clock(busy_s)}"
    silent_s = now - run.last_sign_at
    if silent_s >= QUIET_S and not run.open_items:
        return f"silent for {clock(silent_s)}"
    return run.doing or "thinking"
