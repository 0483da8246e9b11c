"""Overlaps: runs that change the same lines of one source, found before they are applied."""

from __future__ import annotations

import heapq

from engine.domain.changed_lines import ChangedLines, share_lines
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

    Runs that change the same files are candidates; an overlap needs the same lines, which `learn`
    adds. Copies of one batch task are alternatives, and never overlap. A change costs no more than
    its size. An ended run counts while it may still be applied.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, frozenset[str]]] = {}
        self._owners: dict[tuple[str, str], set[str]] = {}
        self._shared: dict[str, dict[str, set[str]]] = {}
        self._tasks: dict[str, object] = {}
        self._checkpoints: dict[str, int | None] = {}
        self._lines: dict[str, tuple[int | None, ChangedLines]] = {}
        self._found: dict[str, dict[str, set[str]]] = {}
        """Pairs of runs, both ways, and the paths of which both change the same lines."""
        self._ended: list[tuple[float, str]] = []
        self._now = 0.0

    def overlaps(self, run: str) -> list[Overlap]:
        """Return the runs that change the same lines as `run`, sorted."""
        found = self._found.get(run, {})
        return [Overlap(other, tuple(sorted(found[other]))) for other in sorted(found)]

    def count(self, run: str) -> int:
        """Return how many these are."""
        return len(self._found.get(run, ()))

    def update(self, run: Run) -> set[str]:
        """Add the state of a run, and return the runs whose overlaps changed."""
        self._now = max(self._now, run.last_event_at)
        source = run.workspace.source if run.workspace else None
        counts = source is not None and not run.has_unknown_changes and self._counts(run)
        self._tasks[run.id] = _task(run)
        self._checkpoints[run.id] = run.checkpoint
        told = self._replace(run.id, source or "", frozenset(run.touched if counts else ()))
        if counts and run.finished_at is not None:
            heapq.heappush(self._ended, (run.finished_at, run.id))
        while self._ended and self._ended[0][0] < self._now - RECENT_S:
            told |= self._replace(heapq.heappop(self._ended)[1], "", frozenset())
        return told

    def remove(self, run: str) -> set[str]:
        """Remove a run, and return the other runs whose overlaps changed."""
        changed = self._replace(run, "", frozenset()) - {run}
        for known in (self._tasks, self._checkpoints, self._lines):
            known.pop(run, None)
        return changed

    def candidates(self) -> dict[str, tuple[int, frozenset[str]]]:
        """Return the runs whose lines are needed: the checkpoint, and the paths others change."""
        found: dict[str, tuple[int, frozenset[str]]] = {}
        for run, shared in self._shared.items():
            checkpoint = self._checkpoints.get(run)
            if checkpoint is not None and self._lines.get(run, (None,))[0] != checkpoint:
                found[run] = (checkpoint, frozenset().union(*shared.values()))
        return found

    def learn(self, run: str, checkpoint: int, lines: ChangedLines) -> set[str]:
        """Add the lines that a run changed, and return the runs whose overlaps changed."""
        self._lines[run] = (checkpoint, lines)
        changed = set[str]()
        for other, paths in self._shared.get(run, {}).items():
            for path in paths:
                changed |= self._judge(run, other, path)
        return changed

    def _judge(self, run: str, other: str, path: str) -> set[str]:
        """Find out whether two runs overlap in a file; return both if that changed."""
        mine, theirs = (self._lines.get(one, (None, {}))[1].get(path) for one in (run, other))
        overlaps = mine is not None and theirs is not None and share_lines(mine, theirs)
        if overlaps == (path in self._found.get(run, {}).get(other, ())):
            return set()
        if overlaps:
            self._found.setdefault(run, {}).setdefault(other, set()).add(path)
            self._found.setdefault(other, {}).setdefault(run, set()).add(path)
        else:
            _remove(self._found, run, other, path)
        return {run, other}

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
        return told

    def _enter(self, run: str, source: str, path: str) -> set[str]:
        owners = self._owners.setdefault((source, path), set())
        changed = set[str]()
        task = self._tasks.get(run)
        for other in owners:
            if task is not None and task == self._tasks.get(other):
                continue
            self._shared.setdefault(run, {}).setdefault(other, set()).add(path)
            self._shared.setdefault(other, {}).setdefault(run, set()).add(path)
            changed |= self._judge(run, other, path)
        owners.add(run)
        return changed

    def _leave(self, run: str, source: str, path: str) -> set[str]:
        owners = self._owners[source, path]
        owners.discard(run)
        if not owners:
            del self._owners[source, path]
        changed = set[str]()
        for other in owners:
            _remove(self._shared, run, other, path)
            if path in self._found.get(run, {}).get(other, ()):
                _remove(self._found, run, other, path)
                changed |= {run, other}
        return changed


def _task(run: Run) -> object:
    """Return a key that the copies of one batch task share; None outside of a batch."""
    spec = run.spec
    if spec.batch is None:
        return None
    given = {name: value for name, value in spec.given.items() if name != "model"}
    return (spec.batch, spec.prompt, spec.template, tuple(sorted(given.items())))


def _remove(pairs: dict[str, dict[str, set[str]]], run: str, other: str, path: str) -> None:
    for one, two in ((run, other), (other, run)):
        paths = pairs.get(one, {}).get(two)
        if paths is None:
            continue
        paths.discard(path)
        if not paths:
            del pairs[one][two]
        if not pairs[one]:
            del pairs[one]
