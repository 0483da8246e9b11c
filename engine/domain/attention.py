"""The attention that a run asks of the user: each run counts as exactly one kind."""

from __future__ import annotations

from enum import StrEnum

from engine.domain.causes import UNSUCCESSFUL
from engine.domain.lifecycle import ACTIVE, FINISHED, is_stalled
from engine.domain.model import Run, Status
from engine.domain.pull_request import is_merged


class Attention(StrEnum):
    """Kinds of runs by the attention that they ask for, the most urgent first."""

    NEEDS_YOU = "needs you"
    RUNNING = "running"
    QUEUED = "queued"
    TO_REVIEW = "to review"
    DONE = "done"


def is_dismissed(run: Run) -> bool:
    """Return whether the user has put a finished run aside: dismissed or archived it."""
    return run.is_dismissed or run.is_archived


def conflicts_left(run: Run) -> tuple[str, ...]:
    """Return the files of an ended run that have the conflict markers of an update."""
    if run.status not in FINISHED or run.updated is None:
        return ()
    return run.updated.conflicts


def needs_you(run: Run) -> bool:
    """Return whether a run waits for the user: it failed, stalled, asks, or left conflicts."""
    if run.status in UNSUCCESSFUL:
        return not (is_dismissed(run) or run.is_rejected)
    if conflicts_left(run) and not is_settled(run) and not run.in_trash:
        return True
    return is_stalled(run) or is_asking(run)


def is_asking(run: Run) -> bool:
    """Return whether an agent at work waits for an answer."""
    return run.status in ACTIVE and bool(run.unanswered)


def is_settled(run: Run) -> bool:
    """Return whether the user has decided about the changes of a finished run."""
    return run.is_applied or is_dismissed(run) or is_merged(run)


def to_review(run: Run) -> bool:
    """Return whether a run ended with changes that the user has not decided about yet."""
    if run.status not in (Status.SUCCEEDED, Status.CANCELLED) or is_settled(run):
        return False
    # A deleted workspace was a decision; in place, the changes are where they belong.
    if run.in_trash or run.is_in_place:
        return False
    changed = run.changes
    return run.has_unknown_changes or bool(changed.files or changed.insertions or changed.deletions)


def attention_of(run: Run) -> Attention:
    """Return the one kind that a run counts as."""
    if needs_you(run):
        return Attention.NEEDS_YOU
    if run.status in ACTIVE:
        return Attention.RUNNING
    if run.status is Status.QUEUED:
        return Attention.QUEUED
    return Attention.TO_REVIEW if to_review(run) else Attention.DONE
