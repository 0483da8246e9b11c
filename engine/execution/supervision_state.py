"""The state of the supervision of a home's runs, as lists show it: read once, without a wait."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path

from engine.domain.errors import UserError
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import Run
from engine.domain.record import record
from engine.execution.supervisor_status import LockHolder, read_holder


@record
class SupervisionState:
    """The state of the supervision of a home's runs."""

    problem: str = ""
    """Reason why not, in words; empty while they are."""
    until: float = math.inf
    """The last sign of supervision, in seconds since 1970; infinite while they are."""

    def stands(self, run: Run) -> bool:
        """Return whether the clock of this run stands still."""
        return run.status in ACTIVE and self.until < math.inf

    def time_of(self, run: Run, now: float) -> float:
        """Return the time at which to show a run: nothing is known of it after that."""
        # What a run reported last was seen by a supervisor, too.
        return min(now, max(self.until, run.last_event_at)) if self.stands(run) else now


def supervision_state(path: Path) -> SupervisionState:
    """Return how a home is supervised, whose supervisor lock is at `path`."""
    try:
        holder = read_holder(path)
    except UserError as error:
        return SupervisionState(f"{error.message} {error.recovery}".strip())
    problem = unsupervised(holder)
    if not problem:
        return SupervisionState()
    if holder.is_alive:
        return SupervisionState(problem, time.time() - (holder.beat_age_s or 0.0))
    with suppress(OSError):
        return SupervisionState(problem, path.stat().st_mtime)  # of the last heartbeat
    return SupervisionState(problem, 0.0)


def unsupervised(holder: LockHolder) -> str:
    """Return why runs that are left to do are not supervised; empty where they are."""
    if holder.is_alive:
        return holder.problem
    return "No process supervises the runs that are left to do: `swarm-tui supervise` does."
