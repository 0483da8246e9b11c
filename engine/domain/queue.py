"""Order of the queue: the next run to start, and what the others wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from engine.domain.lifecycle import FINISHED
from engine.domain.model import Pause, Run, Status
from engine.domain.projection import View
from engine.domain.reasons import Cause
from engine.domain.record import record

CLOCK_SLACK_S = 60.0


@record
class QueueRules:
    """The rules of the queue: at most `slots` active runs, `per_project` of one project."""

    slots: int
    per_project: int | None = None
    pause: Pause | None = None


def next_run(view: View, rules: QueueRules, now: float) -> Run | None:
    """Return the queued run that may start at `now`, the first in order; None if none may."""
    active = view.active()
    if len(active) >= rules.slots:
        return None
    busy = Counter(run.spec.project for run in active)
    for run in view.queue():
        full = rules.per_project is not None and busy[run.spec.project] >= rules.per_project
        if not full and not waits(view, run, now) and not pause_of(run, rules.pause, now):
            return run
    return None


def paused(pause: Pause | None, now: float) -> bool:
    """Return whether a pause holds at `now`."""
    return pause is not None and (pause.until is None or now < pause.until)


def pause_of(run: Run, pause: Pause | None, now: float) -> Pause | None:
    """Return the pause if it holds this run at `now`: one may concern a single agent."""
    if not paused(pause, now):
        return None
    return pause if pause and pause.agent in (None, run.spec.agent) else None


def waits(view: View, run: Run, now: float) -> bool:
    """Return whether a queued run waits for a time or for other runs, not only for a slot."""
    # A limit holds all by its pause: who ends that, holding credits, need not wait for the reset.
    # A clock that stands before the run was put back was itself put back: it may take days to come.
    free = run.cause is Cause.LIMIT or now < run.last_event_at - CLOCK_SLACK_S
    own = 0.0 if free else run.not_before or 0.0
    return now < max(own, run.spec.not_before or 0.0) or bool(unfinished(view, run))


def unfinished(view: View, run: Run) -> list[str]:
    """Return the runs that this one waits for and that have not succeeded yet."""
    before = (view.runs.get(run_id) for run_id in run.spec.after)
    return [other.id for other in before if other and other.status is not Status.SUCCEEDED]


def hopeless(view: View, run: Run) -> str | None:
    """Return the run that this one cannot wait for: it ended without success, or is missing."""
    for run_id in run.spec.after:
        other = view.runs.get(run_id)
        if other is None or (other.status in FINISHED and other.status is not Status.SUCCEEDED):
            return run_id
    return None


def dependents(view: View, runs: Collection[str]) -> list[Run]:
    """Return the queued runs that wait for these, directly or through others, in queue order.

    They are cancelled when what they wait for ends without success.
    """
    lost, queued = set(runs), [run for run in view.queue() if run.spec.after]
    while found := {run.id for run in queued if lost.intersection(run.spec.after)} - lost:
        lost |= found
    return [run for run in queued if run.id in lost and run.id not in runs]
