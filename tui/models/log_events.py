"""Events of a log: which are book-keeping, and which the agent reported before the watcher did.

The log of the dashboard and the commands `logs` and `watch` share these rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from math import inf

from engine.domain.events import (
    ArtifactSaved,
    Body,
    ChangesMeasured,
    CheckpointTaken,
    Event,
    FileChange,
    FilesChanged,
    LimitsSeen,
    Progressed,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Status
from engine.domain.record import mutable_record

REPORT_AFTER_S = 30.0
"""The watcher reports an edit at most this long after the agent: it may have to scan."""
REPORT_BEFORE_S = 2.0
"""The watcher may see an edit this long before the agent reports it."""
SAME_REPORT_S = 1.0
"""A write that the watcher reports twice is reported within this time."""
LOOK_AHEAD = 32
"""Events among which the agent's report of an edit is looked for."""
MAX_PATHS = 10_000
"""Edited files of a run that are remembered."""
MAX_RUNS = 200
"""Runs whose edited files are remembered: those that began to edit last."""

_FileKey = tuple[str, bool]
"""A path, and whether the file was deleted."""

_BOOKKEEPING: tuple[type[Body], ...] = (
    ArtifactSaved,
    ChangesMeasured,
    CheckpointTaken,
    LimitsSeen,
    Progressed,
    UsageCounted,
)


def is_bookkeeping(event: Event) -> bool:
    """Return whether an event is a record of the engine, not part of the work: hidden by default.

    The first event of a run never is: it stands for the prompt. Of changes of status, the ends and
    those with a cause of their own are part of the work.
    """
    body = event.body
    if event.seq == 1:
        return False
    if isinstance(body, StatusChanged):
        is_passed = body.status.is_known and body.status not in FINISHED
        return is_passed and not (body.status is Status.QUEUED and body.reason)
    return isinstance(body, _BOOKKEEPING)


@mutable_record
class _EditedFile:
    """A file that an agent edited, and the time until which a report is about this edit."""

    until: float
    is_open: bool
    """True if the edit has begun, but not ended yet."""


class ReportedEdits:
    """Edits that agents reported lately, so that the watcher's report of the same is not shown."""

    def __init__(self) -> None:
        self._files: dict[str, dict[_FileKey, _EditedFile]] = {}

    def add(self, event: Event) -> None:
        """Remember the files of an edit; other events change nothing."""
        body = event.body
        if isinstance(body, StatusChanged) and body.status is Status.QUEUED:
            self._files.pop(event.run, None)  # an edit that was cut off never ends
        if not isinstance(body, Step) or not body.changes:
            return
        files = self._of(event.run)
        if len(files) + len(body.changes) > MAX_PATHS:
            files.clear()
        for key in map(_key, body.changes):
            known = files.get(key)
            if body.phase == "failed":
                files.pop(key, None)
            elif body.phase == "started":
                files[key] = _EditedFile(inf, is_open=True)
            elif known is None or not known.is_open:
                files[key] = _EditedFile(event.at + REPORT_AFTER_S, is_open=False)
            else:
                known.is_open = False
                known.until = min(known.until, event.at + REPORT_AFTER_S)

    def _of(self, run: str) -> dict[_FileKey, _EditedFile]:
        files = self._files.setdefault(run, {})
        if len(self._files) > MAX_RUNS:
            del self._files[next(iter(self._files))]
        return files

    def unreported(
        self, run: str, at: float, changes: Sequence[FileChange]
    ) -> tuple[FileChange, ...]:
        """Return those of the watcher's `changes` that are not edits of the agent."""
        files = self._files.get(run, {})
        return tuple(one for one in changes if not _is_reported(files.get(_key(one)), at))


def _is_reported(edit: _EditedFile | None, at: float) -> bool:
    if edit is None or at > edit.until:
        return False
    # The next change of the file is another one, which the agent may not have reported.
    edit.until = min(edit.until, at + SAME_REPORT_S)
    return True


def edited(event: Event) -> tuple[FileChange, ...]:
    """Return the files of an edit that the agent reported; none for other events."""
    body = event.body
    if not isinstance(body, Step) or body.kind != "file_change" or body.phase == "failed":
        return ()
    return body.changes or ()


def without_edited(
    changes: Sequence[FileChange], edits: Iterable[FileChange]
) -> tuple[FileChange, ...]:
    """Return those of the watcher's `changes` that are not among `edits`."""
    keys = set(map(_key, edits))
    return tuple(one for one in changes if _key(one) not in keys)


def _key(change: FileChange) -> _FileKey:
    """Return a file, and whether it was deleted: the watcher may see an edit as a new file."""
    return change.path, change.change == "deleted"


class LogFilter:
    """The events that a command prints, page by page: each edit once, book-keeping on request."""

    def __init__(self, *, has_bookkeeping: bool) -> None:
        self._has_bookkeeping = has_bookkeeping
        self._edits = ReportedEdits()

    def choose(self, events: Sequence[Event]) -> Iterator[Event]:
        """Yield the events to print, the watcher's reports without edits of the agent."""
        for index, event in enumerate(events):
            self._edits.add(event)
            if isinstance(event.body, FilesChanged):
                rest = self._edits.unreported(event.run, event.at, event.body.changes)
                rest = without_edited(rest, _soon_after(events, index))
                if rest:
                    yield replace(event, body=FilesChanged(rest))
            elif self._has_bookkeeping or not is_bookkeeping(event):
                yield event


def _soon_after(events: Sequence[Event], index: int) -> Iterator[FileChange]:
    """Yield the files that the agent edited right after an event, by its own report."""
    report = events[index]
    for event in islice(events, index + 1, index + 1 + LOOK_AHEAD):
        if event.at > report.at + REPORT_BEFORE_S:
            return
        if event.run == report.run:
            yield from edited(event)
