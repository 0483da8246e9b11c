"""Overlaps: runs of one source that change the same files, found before they are applied."""

from __future__ import annotations

import heapq

from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.domain.record import record

RECENT_S = 24 * 3600.0
"""A run that has ended counts as long after its end, counted by the events of all runs."""


@record
class Overlap:
    """Another run, and the paths that it changes too, sorted."""

    run: str
    paths: tuple[str, ...]


class OverlapDetector:
    """Detector of overlaps between runs, fed one run at a time as it changes.

    A change costs no more than its size. An ended run counts while it may still be applied.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, frozenset[str]]] = {}
        self._owners: dict[tuple[str, str], set[str]] = {}
        self._shared: dict[str, dict[str, set[str]]] = {}
        self._ended: list[tuple[float, str]] = []
        self._now = 0.0

    def overlaps(self, run: str) -> list[Overlap]:
        """Return the runs that change the same files as `run`, sorted."""
        shared = self._shared.get(run, {})
        return [Overlap(other, tuple(sorted(shared[other]))) for other in sorted(shared)]

    def count(self, run: str) -> int:
        """Return how many these are."""
        return len(self._shared.get(run, ()))

    def update(self, run: Run) -> set[str]:
        """Add the state of a run, and return the runs whose overlaps changed."""
        self._now = max(self._now, run.last_event_at)
        source = run.workspace.source if run.workspace else None
        counts = source is not None and not run.has_unknown_changes and self._counts(run)
        told = self._replace(run.id, source or "", frozenset(run.touched if counts else ()))
        if counts and run.finished_at is not None:
            heapq.heappush(self._ended, (run.finished_at, run.id))
        while self._ended and self._ended[0][0] < self._now - RECENT_S:
            told |= self._replace(heapq.heappop(self._ended)[1], "", frozenset())
        return told

    def _counts(self, run: Run) -> bool:
        if run.status not in FINISHED:
            return True
        ended_at = run.finished_at or run.last_event_at
        is_recent = ended_at >= self._now - RECENT_S
        return run.status is not Status.CANCELLED and not run.is_applied and is_recent

    def _replace(self, run: str, source: str, paths: frozenset[str]) -> set[str]:
        before, was = self._known.get(run, (source, frozenset[str]()))
        if (before, was) == (source, paths):
            return set()
        told: set[str] = set()
        kept = paths if before == source else frozenset[str]()
        for path in was - kept:
            told |= self._leave(run, before, path)
        for path in paths - (was if before == source else frozenset[str]()):
            told |= self._enter(run, source, path)
        if paths:
            self._known[run] = (source, paths)
        else:
            self._known.pop(run, None)
        return told | {run} if told else told

    def _enter(self, run: str, source: str, path: str) -> set[str]:
        owners = self._owners.setdefault((source, path), set())
        for other in owners:
            self._shared.setdefault(run, {}).setdefault(other, set()).add(path)
            self._shared.setdefault(other, {}).setdefault(run, set()).add(path)
        met = set(owners)
        owners.add(run)
        return met

    def _leave(self, run: str, source: str, path: str) -> set[str]:
        owners = self._owners[source, path]
        owners.discard(run)
        if not owners:
            del self._owners[source, path]
        for one, other in [(run, other) for other in owners] + [(other, run) for other in owners]:
            shared = self._shared[one]
            shared[other].discard(path)
            if not shared[other]:
                del shared[other]
            if not shared:
                del self._shared[one]
        return set(owners)
