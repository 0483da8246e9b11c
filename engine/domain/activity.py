"""What a run is doing now, in words."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.model import Pause, Run, Status

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


def paused_words(pause: Pause, now: float) -> str:
    """Say why the queue is paused, and when it goes on."""
    until = "" if pause.until is None else f", goes on in {clock(pause.until - now)}"
    return f"the queue is paused: {pause.reason}{until}"


def activity(
    run: Run,
    now: float,
    position: int | None = None,
    *,
    after: Sequence[str] | None = None,
    pause: Pause | None = None,
) -> str:
    """Say what the run is doing at `now`.

    Of a queued one: `position` is its place in the queue, from 1, `after` are the runs it still
    waits for (None: not known), `pause` holds the queue.
    """
    match run.status:
        case Status.QUEUED:
            place = f" ({ordinal(position)})" if position else ""
            waits_for = run.spec.after if after is None else after
            return _held(run, now, pause, place) or _waiting(waits_for, place)
        case Status.PREPARING:
            return run.doing or "preparing the workspace"
        case Status.CANCELLING:
            return f"stopping for {clock(now - run.doing_since)}"
        case Status.RUNNING | Status.VERIFYING:
            return _working(run, now)
        case _:
            return run.error.message if run.error else run.reason


def _held(run: Run, now: float, pause: Pause | None, place: str) -> str:
    """Say which of a time and a pause holds the run longer, if any does."""
    not_before = max(run.not_before or 0.0, run.spec.not_before or 0.0)
    if pause and (pause.until is None or pause.until > max(now, not_before)):
        return f"{paused_words(pause, now)}{place}"
    if now < not_before:
        return f"{run.reason or 'waiting for its time'}, starts in {clock(not_before - now)}"
    return ""


def _waiting(after: Sequence[str], place: str) -> str:
    return f"waiting for {', '.join(after)}{place}" if after else f"waiting for a slot{place}"


def _working(run: Run, now: float) -> str:
    busy_s = now - run.doing_since
    if run.doing.startswith("running "):
        return f"{run.doing} for {clock(busy_s)}"
    silent_s = now - run.last_sign_at
    if silent_s >= QUIET_S and not run.open_items:
        return f"silent for {clock(silent_s)}"
    return run.doing or "thinking"
