"""The allowed changes of a run's status: the only place that decides them."""

from __future__ import annotations

from engine.domain.model import Run, Status
from engine.domain.text import printable_name

S = Status
FOLLOWS: dict[Status, frozenset[Status]] = {
    S.QUEUED: frozenset({S.PREPARING, S.CANCELLED, S.FAILED}),
    # Back to the queue: a node without a free slot, a limit, an outage or a stall that another
    # attempt may get past.
    S.PREPARING: frozenset({S.RUNNING, S.CANCELLING, S.FAILED, S.INTERRUPTED, S.QUEUED}),
    S.RUNNING: frozenset(
        {S.VERIFYING, S.SUCCEEDED, S.FAILED, S.CANCELLING, S.INTERRUPTED, S.QUEUED}
    ),
    S.VERIFYING: frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLING, S.INTERRUPTED, S.QUEUED}),
    # Twice: first the polite way, then at once.
    S.CANCELLING: frozenset({S.CANCELLING, S.CANCELLED}),
    # A finished run starts again only by a new attempt.
    S.SUCCEEDED: frozenset({S.QUEUED}),
    S.FAILED: frozenset({S.QUEUED}),
    S.CANCELLED: frozenset({S.QUEUED}),
    S.INTERRUPTED: frozenset({S.QUEUED}),
}

FINISHED = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED, S.INTERRUPTED})
"""Statuses after which no more happens to a run unless the user asks."""

ACTIVE = frozenset({S.PREPARING, S.RUNNING, S.VERIFYING, S.CANCELLING})
"""Statuses in which a run is being worked on now, and holds a slot."""

LIVE = ACTIVE | {S.QUEUED}
"""Statuses in which more is still to happen to a run."""

CANCELLABLE = frozenset({S.QUEUED, S.PREPARING, S.RUNNING, S.VERIFYING})


_ENDS = {
    S.SUCCEEDED: "has succeeded",
    S.FAILED: "has failed",
    S.CANCELLED: "was cancelled",
    S.INTERRUPTED: "was interrupted",
}


def status_words(status: Status) -> str:
    """Return the status of a run as the end of a sentence: `has succeeded`, `is running`."""
    return _ENDS.get(status) or f"is {printable_name(status[:60])}"


def may_follow(previous: Status, following: Status) -> bool:
    """Return whether a run in `previous` may go on to `following`."""
    return following in FOLLOWS.get(previous, ())  # an unknown one is left alone


def is_stalled(run: Run) -> bool:
    """Return whether a run is at work and shows no sign of it."""
    return run.status in ACTIVE and bool(run.stalled)
