"""Changes that the user made in this dashboard and can undo, in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import StrEnum
from weakref import WeakKeyDictionary

from engine.domain.record import record

MOST = 200
"""Changes that are remembered."""


class ChangeKind(StrEnum):
    """The kinds of changes that can be undone."""

    APPLIED = "applied"
    DELETED = "deleted"
    """The workspaces were moved to the trash."""
    UPDATED = "updated"
    DISMISSED = "dismissed"
    ARCHIVED = "archived"


@record
class UndoableChange:
    """A change of one or more runs."""

    kind: ChangeKind
    runs: tuple[str, ...]
    place: str
    """The list, batch or review in which it was made."""
    is_set: bool = True
    """True if the runs were dismissed or archived; False: this was reverted."""
    attempts: tuple[int, ...] = ()
    """The attempt of each run when it was updated."""


class UndoHistory:
    """The changes of one dashboard; they are undone one at a time, the last one first."""

    def __init__(self) -> None:
        self._changes: deque[UndoableChange] = deque(maxlen=MOST)
        self.lock = asyncio.Lock()

    @property
    def last(self) -> UndoableChange | None:
        """The change that is undone next; None where there is none."""
        return self._changes[-1] if self._changes else None

    def add(self, change: UndoableChange) -> None:
        """Remember a change of at least one run."""
        if change.runs:
            self._changes.append(change)

    def remove(self, change: UndoableChange) -> bool:
        """Forget a change; return whether it was still there."""
        is_there = change in self._changes
        if is_there:
            self._changes.remove(change)
        return is_there


_HISTORIES: WeakKeyDictionary[object, UndoHistory] = WeakKeyDictionary()


def history_of(app: object) -> UndoHistory:
    """Return the history of a dashboard, which all of its screens share."""
    if (found := _HISTORIES.get(app)) is None:
        found = _HISTORIES[app] = UndoHistory()
    return found
