"""The current activity of a run, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.domain.clock_time import clock_time
from engine.domain.hosts import host_of
from engine.domain.interaction import InputRequest, RequestKind
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import Pause, Run, Status
from engine.domain.reasons import Cause, Occupation, WaitingFor
from engine.domain.record import record
from engine.domain.text import printable_name
from engine.domain.usage import DEFAULT_ACCOUNT, SIMULATED

_RETRIES: dict[Cause | None, WaitingFor] = {
    Cause.AUTOMATIC_RETRY: WaitingFor.RETRY,
    Cause.LIMIT: WaitingFor.LIMIT,
    Cause.NO_SLOT: WaitingFor.NODE,
}
THINKING = "thinking"
QUIET_S = 60.0
"""A run that thinks without a word for this long is called silent."""


def _unheard(done: int, of: int) -> None:
    del done, of


def _never() -> bool:
    return False


@record
class Steps:
    """The listener of long work, which can end it between two steps."""

    told: Callable[[int, int], None] = _unheard
    """Called with the number of things that are done so far, and of all."""
    stop: Callable[[], bool] = _never
    """True if the next step is to be left alone."""


ALL = Steps()
"""All steps are done, without a listener."""


def clock(seconds: float) -> str:
    """Write a length of time as `0:42`, `12:05` or `1:02:03`; never negative."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds_left:02}"
    return f"{minutes}:{seconds_left:02}"


def took(seconds: float) -> str:
    """Write the length of something that has ended: as `clock` does, but below 1 s as `0.8s`."""
    if 0 < seconds < 1:
        return f"{min(0.9, max(0.1, seconds)):.1f}s"
    return clock(seconds)


def ordinal(number: int) -> str:
    """Write 1 as `1st`, 2 as `2nd`, 11 as `11th`."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def elapsed_s(run: Run, now: float) -> float:
    """Return the seconds this attempt has taken so far, or took, without those it skipped."""
    if run.started_at is None:
        return 0.0
    end = now if run.finished_at is None else run.finished_at
    return max(0.0, end - run.started_at - run.skipped_s)


def asked_s(run: Run, now: float) -> float:
    """Return the seconds of this attempt in which the agent waited for an answer of the user."""
    since = now if run.asked_since is None else run.asked_since
    return run.waited_s + max(0.0, now - since)


def is_quiet(run: Run, now: float) -> bool:
    """Return whether a run thinks without a word for longer than usual."""
    is_silent = now - run.last_sign_at >= QUIET_S and not run.open_items
    return run.status in (Status.RUNNING, Status.VERIFYING) and is_silent


STEPS_THAT_TELL = 2
"""Steps of a plan that have to be done before their pace means anything."""


def time_left_s(run: Run, now: float) -> float | None:
    """Guess the seconds the rest of the plan takes at the pace of the steps that are done.

    None where that would be no honest guess: too few steps are done, the run is quiet, or its
    present step takes more than twice as long as the others did.
    """
    pace = run.plan_pace
    if run.status is not Status.RUNNING or pace is None or run.stalled or is_quiet(run, now):
        return None
    done = sum(item.completed for item in run.plan)
    steps, still_open = done - pace.done_before, len(run.plan) - done
    if steps < STEPS_THAT_TELL or not still_open:
        return None
    step_s, this_s = (pace.moved_at - pace.began_at) / steps, now - pace.moved_at
    if this_s > 2 * step_s:
        return None
    return step_s * (still_open - 1) + max(0.0, step_s - this_s)


def paused_words(pause: Pause, now: float) -> str:
    """Return the cause of a pause, of the queue or of an account, and its end."""
    if pause.waiting_for is WaitingFor.NODE:
        since = "" if pause.since is None else f" since {clock_time(pause.since, now)}"
        return f"waits: {pause.reason}{since}{'; starts when it answers' if since else ''}"
    if is_hold(pause):
        return f"waits: {held_words(pause, now)}"
    until = "" if pause.until is None else f", goes on in {clock(pause.until - now)}"
    subject = f"the account {pause.account} is held" if pause.account else "the queue is paused"
    return f"{subject}: {pause.reason}{until}"


def is_hold(pause: Pause) -> bool:
    """Return whether it holds the runs of an account, to keep a reserve or to spread starts."""
    return pause.waiting_for in (WaitingFor.RESERVE, WaitingFor.PACE)


def held_words(hold: Pause, now: float) -> str:
    """Return why an account starts no run, and until when."""
    own = (None, DEFAULT_ACCOUNT, SIMULATED)
    other = "" if hold.account in own else f"account {hold.account}: "
    verb = "resets" if hold.waiting_for is WaitingFor.RESERVE else "next start"
    until = "" if hold.until is None else f"; {verb} {clock_time(hold.until, now)}"
    return f"{other}{hold.reason}{until}"


def activity(
    run: Run,
    now: float,
    position: int | None = None,
    *,
    after: Sequence[str] | None = None,
    pause: Pause | None = None,
) -> str:
    """Return the activity of the run at `now`.

    Of a queued one: `position` is its place in the queue, from 1, `after` are the runs it still
    waits for (None: not known), `pause` holds the queue.
    """
    if run.away_since is not None and run.status in ACTIVE:
        then = "ends" if run.status is Status.CANCELLING else "goes on"
        return f"{away_words(run, now)}: {then} when it answers, or is lost"
    match run.status:
        case Status.QUEUED:
            place = f" ({ordinal(position)})" if position else ""
            waits_for = run.spec.after if after is None else after
            past = ", starts past the reserve" if run.ignores_pace or run.spec.ignore_pace else ""
            return _held(run, now, pause, place) or f"{_waiting(waits_for, place)}{past}"
        case Status.PREPARING:
            return run.doing or "preparing the workspace"
        case Status.CANCELLING:
            return f"stopping for {clock(now - run.doing_since)}"
        case Status.RUNNING | Status.VERIFYING:
            return _working(run, now)
        case Status.SUCCEEDED:
            return run.message or run.reason
        case _:
            return run.error.message if run.error else run.reason


def away_words(run: Run, now: float) -> str:
    """Return which node an active run waits for, and for how long it has not answered."""
    away_s = now - (now if run.away_since is None else run.away_since)
    return f"waits for node {printable_name(host_of(run))}, silent for {clock(away_s)}"


def _held(run: Run, now: float, pause: Pause | None, place: str) -> str:
    """Return the reason that holds the run longer, a time or a pause; empty where none does."""
    not_before = max(run.not_before or 0.0, run.spec.not_before or 0.0)
    if pause and _is_last(pause, max(now, not_before)):
        return f"{paused_words(pause, now)}{place}"
    if now < not_before:
        return f"{run.reason or 'waiting for its time'}, starts in {clock(not_before - now)}"
    return ""


def _is_last(pause: Pause, at: float) -> bool:
    return pause.until is None or pause.until > at


def waiting_for(
    run: Run, now: float, *, after: Sequence[str] | None = None, pause: Pause | None = None
) -> WaitingFor | None:
    """Return what holds a queued run the longest, from the same facts as `activity`; else None."""
    if run.status is not Status.QUEUED:
        return None
    not_before = max(run.not_before or 0.0, run.spec.not_before or 0.0)
    if pause and _is_last(pause, max(now, not_before)):
        return pause.waiting_for
    if now < not_before:
        is_own = not_before == run.spec.not_before
        return WaitingFor.TIME if is_own else _RETRIES.get(run.cause, WaitingFor.TIME)
    has_others = run.spec.after if after is None else after
    return WaitingFor.DEPENDENCY if has_others else WaitingFor.SLOT


def _waiting(after: Sequence[str], place: str) -> str:
    return f"waiting for {', '.join(after)}{place}" if after else f"waiting for a slot{place}"


def request_words(request: InputRequest) -> str:
    """Return the subject of a request in a few words."""
    match request.kind:
        case RequestKind.COMMAND:
            return f"run `{request.text}`"
        case RequestKind.PATCH:
            return f"edit {request.text}"
        case RequestKind.TOOL:
            return f"use {request.text}"
        case RequestKind.QUESTION:
            return f"answer: {request.text}"
        case RequestKind.FORM:
            return f"open {request.text}" if request.url else f"fill in: {request.text}"
        case _:
            return f"more rights: {request.text}"


def open_request_words(run: Run) -> str:
    """Return the oldest open request of a run in words, and the number of others."""
    oldest, *others = run.unanswered or (None,)
    if oldest is None:
        return ""
    return f"{request_words(oldest)}{f' and {len(others)} more' if others else ''}"


def _working(run: Run, now: float) -> str:
    busy_s = now - run.doing_since
    if run.unanswered:
        return f"needs you: {open_request_words(run)}"
    if run.occupation is Occupation.COMMAND:
        return f"{run.doing} for {clock(busy_s)}"
    if is_quiet(run, now):
        return f"silent for {clock(now - run.last_sign_at)}"
    return spoken(run) or run.doing or THINKING


def spoken(run: Run) -> str:
    """Return the last message of an agent that is not at a step of work; else an empty text."""
    is_free = not run.doing or run.occupation is Occupation.THINK
    return run.message if is_free else ""
