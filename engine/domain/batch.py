"""A batch: runs launched together. Only the request is stored; the rest follows from its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.domain.activity import elapsed_s
from engine.domain.budget import Budget
from engine.domain.cost import CostSum, RunCost, no_cost, sum_costs
from engine.domain.lifecycle import ACTIVE, FINISHED, LIVE
from engine.domain.model import Run, RunSpec, Status, Usage, WorkspaceKind, WorkspaceSpec
from engine.domain.record import record

MOST_RUNS = 1000


@record
class Batch:
    """A batch as it was asked for; its runs carry its id, which is its name made unique."""

    id: str
    name: str
    template: str | None = None
    made_of: str = ""
    """Origin of its runs, in words: a file, a matrix, a number of copies."""
    created_at: float = 0.0
    budget: Budget | None = None
    """Budget of all its runs together."""


@record
class PlannedRun:
    """A run of a batch that is to be made; it may wait for earlier ones, given by their place."""

    spec: RunSpec
    after: tuple[int, ...] = ()
    starts_from: int | None = None
    """Whose workspace it starts from."""

    def as_spec(self, batch: str, made: Sequence[str]) -> RunSpec:
        """Return the spec of the run, with the ids of the runs made before it."""
        waits = tuple(dict.fromkeys((*self.spec.after, *(made[place] for place in self.after))))
        spec = replace(self.spec, batch=batch, after=waits)
        if self.starts_from is None:
            return spec
        place = spec.workspace
        source = made[self.starts_from]
        wish = WorkspaceSpec(WorkspaceKind.FROM_RUN, source, cwd=place.cwd, host=place.host)
        return replace(spec, workspace=wish)


@record
class BatchSummary:
    """The state of a batch, from its runs."""

    runs: int = 0
    counts: Counter[Status] | None = None
    percent: int = 0
    usage: Usage = Usage()
    cost: CostSum = CostSum()
    """An estimate at list prices, or the user's own."""
    started_at: float | None = None
    finished_at: float | None = None
    left_s: float | None = None
    """About how long it will take still; None where nothing is known yet, or it is over."""

    def of(self, *statuses: Status) -> int:
        """Return how many runs have one of these statuses."""
        return sum((self.counts or {}).get(status, 0) for status in statuses)

    @property
    def ended(self) -> int:
        """The number of runs that ended by themselves, without the cancelled ones."""
        return self.of(Status.SUCCEEDED, Status.FAILED, Status.INTERRUPTED)

    @property
    def pass_rate(self) -> float | None:
        """The part of the ended runs that succeeded, 0 to 1; None while none has ended."""
        return self.of(Status.SUCCEEDED) / self.ended if self.ended else None

    @property
    def live(self) -> int:
        """The number of runs that have not ended."""
        return self.of(*LIVE)

    @property
    def tokens(self) -> int:
        """The tokens used, in and out."""
        return self.usage.input + self.usage.output


def standing(runs: Iterable[Run], now: float, slots: int, cost: RunCost = no_cost) -> BatchSummary:
    """Sum up the runs of a batch at `now`, with so many slots for what is left of it."""
    known = list(runs)
    counts = Counter(run.status for run in known)
    percents = sum(100 if run.status in FINISHED else run.percent for run in known)
    starts = [run.started_at for run in known if run.started_at is not None]
    ends = [run.finished_at for run in known if run.finished_at is not None]
    is_over = all(run.status not in LIVE for run in known)
    return BatchSummary(
        len(known),
        counts,
        percents // max(1, len(known)),
        sum((run.usage for run in known), Usage()),
        sum_costs(known, cost),
        min(starts, default=None),
        max(ends, default=None) if is_over else None,
        None if is_over else _left_s(known, now, slots),
    )


def _left_s(runs: Sequence[Run], now: float, slots: int) -> float | None:
    """Reckon from what those that ended took how long those that have not will take."""
    took = [elapsed_s(run, now) for run in runs if _tells(run)]
    if not took:
        return None
    usual = sum(took) / len(took)
    active = [max(0.0, usual - elapsed_s(run, now)) for run in runs if run.status in ACTIVE]
    queued = sum(run.status is Status.QUEUED for run in runs)
    at_a_time = max(1, min(slots, len(active) + queued))
    left = max((sum(active) + queued * usual) / at_a_time, max(active, default=0.0))
    return left or None  # it already takes longer than usual


def _tells(run: Run) -> bool:
    return run.status in (Status.SUCCEEDED, Status.FAILED) and run.started_at is not None
