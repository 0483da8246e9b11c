"""Ranking of several runs of one task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status

_ORDER = {Status.SUCCEEDED: 0, Status.FAILED: 2, Status.INTERRUPTED: 3, Status.CANCELLED: 4}
_LIVE = 1


@dataclass(frozen=True, slots=True)
class RankedTask:
    """The runs of a batch that were given the same, the best first."""

    given: dict[str, str]
    runs: tuple[Run, ...]

    @property
    def winner(self) -> Run | None:
        """The best one, if it succeeded and nothing that could do better is still at work."""
        best = self.runs[0]
        is_over = all(run.status in FINISHED for run in self.runs)
        return best if is_over and best.status is Status.SUCCEEDED else None

    @property
    def rest(self) -> tuple[Run, ...]:
        """The runs that did not win; empty where none did."""
        return self.runs[1:] if self.winner else ()


def tasks(runs: Iterable[Run]) -> list[RankedTask]:
    """Group the runs by task, and rank the runs of each.

    Runs that succeeded, with their check, come first; then those that changed something; then
    those with the smaller change; then those that used fewer tokens.
    """
    found: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        found.setdefault((*run.spec.given.items(), run.spec.prompt), []).append(run)
    return [
        RankedTask(same[0].spec.given, tuple(sorted(same, key=_rank))) for same in found.values()
    ]


def _rank(run: Run) -> tuple[int, int, int, int, int, str]:
    order = _ORDER.get(run.status)
    if order is None:  # what is at work keeps its place: its figures change all the time
        return _LIVE, 0, 0, 0, 0, run.id
    changes = run.changes
    lines = changes.insertions + changes.deletions
    used = run.usage.input + run.usage.output
    # Unknown changes come last: they may be large.
    nothing = 2 if run.has_unknown_changes else not changes.files
    return order, nothing, lines, changes.files, used, run.id
