"""Overlaps: runs that change the same lines of one source, found before they are applied."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from engine.domain.changed_lines import ChangedLines, share_lines
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.domain.record import record

RECENT_S = 24 * 3600.0
"""A run that has ended counts as long after its end, counted by the events of all runs."""

_NOTHING = ("", frozenset[str]())


@record
class Overlap:
    """Another run, and the paths that it changes too, sorted."""

    run: str
    paths: tuple[str, ...]


class OverlapDetector:
    """Detector of overlaps between runs, fed one run at a time as it changes.

    Runs that change the same files are candidates; an overlap needs the same lines, which `learn`
    adds. Copies of one batch task are alternatives, and never overlap. An ended run counts while
    it may still be applied.

    Nothing is kept by pairs of runs: a thousand runs that edit one changelog make a million.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, frozenset[str]]] = {}
        """The source of each run that counts, and the files that it changes there."""
        self._owners: dict[tuple[str, str], set[str]] = {}
        self._tasks: dict[str, object] = {}
        self._checkpoints: dict[str, int | None] = {}
        self._lines: dict[str, tuple[int | None, ChangedLines]] = {}
        self._unread: set[str] = set()
        """Runs that may be candidates: all others were found to be none as they are now."""
        self._counts: dict[str, int] = {}
        self._ended: list[tuple[float, str]] = []
        self._now = 0.0

    def overlaps(self, run: str) -> list[Overlap]:
        """Return the runs that change the same lines as `run`, sorted."""
        if not self.count(run):
            return []
        shared = {other: self._shared(run, other) for other in sorted(self._others(run))}
        return [Overlap(other, tuple(sorted(paths))) for other, paths in shared.items() if paths]

    def count(self, run: str) -> int:
        """Return how many these are."""
        return self._counts.get(run, 0)

    def update(self, run: Run) -> set[str]:
        """Add the state of a run, and return the runs whose overlaps changed."""
        self._now = max(self._now, run.last_event_at)
        if run.status in FINISHED and run.id not in self._known and not self._counted(run):
            self._drop(run.id)  # nearly all runs that ended: nothing is kept of them
            return self._expired()
        source = run.workspace.source if run.workspace else None
        is_counted = source is not None and not run.has_unknown_changes and self._counted(run)
        told = self._set_task(run)
        if self._checkpoints.get(run.id) != run.checkpoint:
            self._checkpoints[run.id] = run.checkpoint
            self._unread.add(run.id)
        told |= self._replace(run.id, source or "", frozenset(run.touched if is_counted else ()))
        if is_counted and run.finished_at is not None:
            heapq.heappush(self._ended, (run.finished_at, run.id))
        elif run.status in FINISHED and run.id not in self._known:
            self._drop(run.id)
        return told | self._expired()

    def _expired(self) -> set[str]:
        """Remove the runs that ended long ago; return the runs whose overlaps changed by that."""
        told = set[str]()
        while self._ended and self._ended[0][0] < self._now - RECENT_S:
            run = heapq.heappop(self._ended)[1]
            told |= self._replace(run, "", frozenset())
            self._drop(run)
        return told

    def _drop(self, run: str) -> None:
        for known in (self._tasks, self._checkpoints, self._lines):
            known.pop(run, None)
        self._unread.discard(run)

    def remove(self, run: str) -> set[str]:
        """Remove a run, and return the other runs whose overlaps changed."""
        changed = self._replace(run, "", frozenset()) - {run}
        self._drop(run)
        return changed

    def candidates(self) -> dict[str, tuple[int, frozenset[str]]]:
        """Return the runs whose lines are needed: the checkpoint, and the paths others change."""
        found: dict[str, tuple[int, frozenset[str]]] = {}
        for run in sorted(self._unread):
            checkpoint = self._checkpoints.get(run)
            is_learned = checkpoint == self._lines.get(run, (None,))[0]
            common = frozenset[str]() if is_learned else self._common(run)
            if checkpoint is not None and common:
                found[run] = (checkpoint, common)
            else:
                self._unread.discard(run)
        return found

    def learn(self, run: str, checkpoint: int, lines: ChangedLines) -> set[str]:
        """Add the lines that a run changed, and return the runs whose overlaps changed."""
        before = {other: self._shared(run, other) for other in self._others(run)}
        self._lines[run] = (checkpoint, lines)
        return self._compare(run, before)

    def _set_task(self, run: Run) -> set[str]:
        """Set the task of a run; of another task, it is as if it were another run."""
        task = _task(run)
        told = set[str]()
        if self._tasks.get(run.id, task) != task:
            told = self._replace(run.id, "", frozenset())
        self._tasks[run.id] = task
        return told

    def _compare(self, run: str, before: Mapping[str, set[str]]) -> set[str]:
        """Count again the overlaps with other runs; return the runs whose overlaps changed."""
        changed = set[str]()
        for other, was in before.items():
            now = self._shared(run, other)
            if now != was:
                changed |= {run, other}
                for one in (run, other):
                    self._counts[one] = self._counts.get(one, 0) + bool(now) - bool(was)
        for one in changed:
            if not self._counts[one]:
                del self._counts[one]
        return changed

    def _common(self, run: str) -> frozenset[str]:
        """Return the files that runs of other tasks change, too."""
        source, paths = self._known.get(run, _NOTHING)
        task = self._tasks.get(run)
        return frozenset(
            path
            for path in paths
            if any(self._tasks.get(other) != task for other in self._owners[source, path])
        )

    def _others(self, run: str) -> set[str]:
        """Return the runs that change any of a run's files."""
        source, paths = self._known.get(run, _NOTHING)
        return self._changing(run, source, paths)

    def _changing(self, run: str, source: str, paths: Iterable[str]) -> set[str]:
        """Return the other runs that change any of these files."""
        owners = (self._owners.get((source, path), ()) for path in paths)
        return set[str]().union(*owners) - {run}

    def _shared(self, run: str, other: str) -> set[str]:
        """Return the files in which two runs of different tasks change the same lines."""
        (source, mine), (its_source, its) = (self._known.get(one, _NOTHING) for one in (run, other))
        if source != its_source or self._tasks.get(run) == self._tasks.get(other):
            return set()
        lines, its_lines = (self._lines.get(one, (None, {}))[1] for one in (run, other))
        return {
            path
            for path in lines.keys() & its_lines.keys()
            if path in mine and path in its and share_lines(lines[path], its_lines[path])
        }

    def _counted(self, run: Run) -> bool:
        if run.status not in FINISHED:
            return True
        ended_at = run.finished_at or run.last_event_at
        is_recent = ended_at >= self._now - RECENT_S
        return run.status is not Status.CANCELLED and not run.is_applied and is_recent

    def _replace(self, run: str, source: str, paths: frozenset[str]) -> set[str]:
        """Set the files that a run changes; return the runs whose overlaps changed."""
        before, was = self._known.get(run, (source, frozenset[str]()))
        if (before, was) == (source, paths):
            return set()
        kept = was & paths if before == source else frozenset[str]()
        read = self._lines.get(run, (None, {}))[1].keys()  # without its lines, none is shared
        met = self._changing(run, before, (was - kept) & read)
        met |= self._changing(run, source, (paths - kept) & read)
        shared = {other: self._shared(run, other) for other in met}
        for path in was - kept:
            self._leave(run, before, path)
        for path in paths - kept:
            self._enter(run, source, path)
        if paths:
            self._known[run] = (source, paths)
            self._unread.add(run)
        else:
            self._known.pop(run, None)
        return self._compare(run, shared)

    def _enter(self, run: str, source: str, path: str) -> None:
        owners = self._owners.setdefault((source, path), set())
        tasks = map(self._tasks.get, owners)
        first = next(tasks, None)
        if all(task == first for task in tasks):  # no other task changed it until now
            self._unread |= owners
        owners.add(run)

    def _leave(self, run: str, source: str, path: str) -> None:
        owners = self._owners[source, path]
        owners.discard(run)
        if not owners:
            del self._owners[source, path]


def _task(run: Run) -> object:
    """Return a key that the copies of one batch task share; outside of a batch, the run's own."""
    spec = run.spec
    if spec.batch is None:
        return run.id
    given = {name: value for name, value in spec.given.items() if name != "model"}
    return (spec.batch, spec.prompt, spec.template, tuple(sorted(given.items())))
