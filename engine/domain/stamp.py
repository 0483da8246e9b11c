"""Bodies become events: numbered, timed, and checked against the lifecycle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.domain import lifecycle
from engine.domain.events import Body, Event, Notice, StatusChanged, Step
from engine.domain.model import Run, Status
from engine.domain.projection import fold


class TransitionError(Exception):
    """A status that may not follow the one the run is in."""


def stamp(run: Run, bodies: Iterable[Body], at: float) -> tuple[list[Event], Run]:
    """Return the run's next events and the run after them; raises `TransitionError`.

    Within an attempt, time never goes back, except by a notice that the clock was moved back.
    """
    events: list[Event] = []
    seq, attempt, status = run.seq, run.attempt, run.status
    now, at = at, max(at, run.last_event_at)
    for body in bodies:
        if isinstance(body, StatusChanged):
            body, attempt = _checked(body, status, attempt, first=seq == 0)
            status = body.status
        if not isinstance(body, Step) and _sets_time(body):  # nearly all are steps
            at = now
        seq += 1
        events.append(Event(run.id, seq, at, attempt, body))
    return events, fold(run, events)


def _sets_time(body: Body) -> bool:
    """Return whether the time of an event counts as it is, even before the event that preceded it.

    The time of an attempt counts from its own start.
    """
    if isinstance(body, StatusChanged):
        return body.status in (Status.QUEUED, Status.PREPARING)
    return isinstance(body, Notice) and (body.skipped_s or 0.0) < 0


def _checked(
    body: StatusChanged, previous: Status, attempt: int, *, first: bool
) -> tuple[StatusChanged, int]:
    if first:
        return body, attempt
    if not lifecycle.may_follow(previous, body.status):
        raise TransitionError(f"{previous} → {body.status}")
    # To be queued again, after an end or in the middle, is to begin a new attempt.
    return replace(body, previous=previous), attempt + (body.status is Status.QUEUED)
