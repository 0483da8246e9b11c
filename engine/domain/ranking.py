"""Ranking of several runs of one task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.domain.attention import is_dismissed
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status

_ORDER = {Status.SUCCEEDED: 0, Status.FAILED: 2, Status.INTERRUPTED: 3, Status.CANCELLED: 4}
_LIVE = 1
_APPLIED, _OUT = -1, 9


class Merit(StrEnum):
    """A reason why a run is the best of its task."""

    APPLIED = "applied"
    CHECK_PASSED = "check_passed"
    ONLY_CANDIDATE = "only_candidate"
    ONLY_SUCCESS = "only_success"
    ONLY_KNOWN = "only_known"
    ONLY_CHANGE = "only_change"
    SMALLEST_CHANGE = "smallest_change"
    FEWEST_FILES = "fewest_files"
    FEWEST_TOKENS = "fewest_tokens"
    SAME_AS_NEXT = "same_as_next"


_BY_RANK = (
    Merit.ONLY_CHANGE,
    Merit.SMALLEST_CHANGE,
    Merit.FEWEST_FILES,
    Merit.FEWEST_TOKENS,
    Merit.SAME_AS_NEXT,
)
"""The reason that each part of a rank is, after the status."""


class CheckOutcome(StrEnum):
    """The outcome of the verify command of a run's last attempt."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"


def check_outcome(run: Run) -> CheckOutcome | None:
    """Return the outcome of a run's verify command; None where it has none."""
    if run.spec.verify is None:
        return None
    if run.status is Status.SUCCEEDED:
        return CheckOutcome.PASSED
    is_failed = run.error is not None and run.error.code == "VERIFY_FAILED"
    return CheckOutcome.FAILED if is_failed else CheckOutcome.NOT_RUN


@dataclass(frozen=True, slots=True)
class RankedTask:
    """Runs that were given the same task, the best first."""

    given: dict[str, str]
    runs: tuple[Run, ...]

    @property
    def winner(self) -> Run | None:
        """The applied run, or the best candidate that succeeded once nothing is still at work."""
        best = self.runs[0]
        if best.is_applied:
            return best
        is_over = all(run.status in FINISHED for run in self.runs)
        is_good = best.status is Status.SUCCEEDED and is_candidate(best)
        return best if is_over and is_good else None

    @property
    def merits(self) -> tuple[Merit, ...]:
        """The reasons why the winner is the best; empty where there is none, or no other run."""
        best = self.winner
        if best is None or len(self.runs) == 1:
            return ()
        if best.is_applied:
            return (Merit.APPLIED,)
        passed = (Merit.CHECK_PASSED,) if check_outcome(best) else ()
        return (*passed, _advantage(best, self.runs[1]))

    @property
    def rest(self) -> tuple[Run, ...]:
        """The runs that did not win and are not applied; empty where none did."""
        return tuple(run for run in self.runs[1:] if not run.applied) if self.winner else ()


def is_candidate(run: Run) -> bool:
    """Return whether a run can be the best: the user has not rejected it or put it aside."""
    return not run.in_trash and not is_dismissed(run)


def tasks(runs: Iterable[Run]) -> list[RankedTask]:
    """Group the runs by task, and rank the runs of each.

    Applied runs come first; then those that succeeded, with their check; then those that changed
    something; then those with the smaller change; then those that used fewer tokens. Runs that
    were rejected or put aside come last.
    """
    found: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        found.setdefault(_task(run), []).append(run)
    return [ranked(same, same[0].spec.given) for same in found.values()]


def ranked(runs: Iterable[Run], given: dict[str, str] | None = None) -> RankedTask:
    """Rank runs, whatever tasks they had."""
    return RankedTask(given or {}, tuple(sorted(runs, key=_rank)))


def of_same_task(run: Run, runs: Iterable[Run]) -> list[Run]:
    """Return the runs of the same task of the same batch, `run` among them."""
    return [one for one in runs if one.spec.batch == run.spec.batch and _task(one) == _task(run)]


def _task(run: Run) -> tuple[object, ...]:
    return (*run.spec.given.items(), run.spec.prompt)


def _advantage(best: Run, second: Run) -> Merit:
    """Return the first difference between the best run and the next one."""
    if not is_candidate(second):
        return Merit.ONLY_CANDIDATE
    if second.status is not Status.SUCCEEDED:
        return Merit.ONLY_SUCCESS
    if second.has_unknown_changes and not best.has_unknown_changes:
        return Merit.ONLY_KNOWN
    pairs: Sequence[tuple[object, object]] = tuple(zip(_rank(best), _rank(second), strict=True))
    differs = (
        merit for merit, (one, other) in zip(_BY_RANK, pairs[1:], strict=True) if one != other
    )
    return next(differs, Merit.SAME_AS_NEXT)


def _rank(run: Run) -> tuple[int, int, int, int, int, str]:
    order = _ORDER.get(run.status)
    if order is None:  # what is at work keeps its place: its figures change all the time
        return _LIVE, 0, 0, 0, 0, run.id
    if run.is_applied:
        order = _APPLIED
    elif not is_candidate(run):
        order += _OUT
    changes = run.changes
    lines = changes.insertions + changes.deletions
    used = run.usage.input + run.usage.output
    # Unknown changes come last: they may be large.
    nothing = 2 if run.has_unknown_changes else not changes.files
    return order, nothing, lines, changes.files, used, run.id
