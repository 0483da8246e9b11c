"""Changes in a workspace, file by file, and their sums in each folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from engine.domain.events import FileChange

MAX_CHANGES = 10_000
"""Changed files that are marked: what comes after is only counted."""

ADDED, MODIFIED, DELETED = "added", "modified", "deleted"
BELOW = "below"
"""The kind of a folder's mark: something below it changed."""


class MeasuredFile(Protocol):
    """A changed file as the engine measures it."""

    @property
    def path(self) -> str:
        """The path relative to the workspace."""
        ...

    @property
    def kind(self) -> str:
        """Kind of the change: added, modified, deleted, renamed or mode."""
        ...

    @property
    def insertions(self) -> int:
        """Lines that came."""
        ...

    @property
    def deletions(self) -> int:
        """Lines that went."""
        ...


class ChangeMark(NamedTuple):
    """Change of a file, with its added and removed lines, where they are known."""

    kind: str
    insertions: int = 0
    deletions: int = 0


def parent_of(path: str) -> str:
    """Return the folder a path is in; the workspace itself is `""`."""
    return path.rpartition("/")[0]


class ChangeMarks:
    """Changes against the start: measured periodically, and reported as they happen.

    A reported change is marked at once, unless a measurement showed before that it does not count:
    a file that `.gitignore` names is written again and again, and its mark would come and go.
    """

    def __init__(self) -> None:
        self.changes: dict[str, ChangeMark] = {}
        self.left_out = 0
        """Number of changed files beyond those that are marked."""
        self._heard: set[str] = set()
        self._void: set[str] = set()
        self._files: Counter[str] = Counter()
        self._insertions: Counter[str] = Counter()
        self._deletions: Counter[str] = Counter()
        self._gone: dict[str, Counter[str]] = {}
        """Number of deleted files at or below each path in a folder, by folder."""

    def below(self, folder: str) -> ChangeMark | None:
        """Sum up what changed below a folder; None where nothing did."""
        if not self._files[folder]:
            return None
        return ChangeMark(BELOW, self._insertions[folder], self._deletions[folder])

    def gone_in(self, folder: str) -> set[str]:
        """Return the deleted files of a folder, and its folders that held such."""
        return {path for path, count in self._gone.get(folder, Counter[str]()).items() if count > 0}

    def change(self, one: FileChange) -> None:
        """Take in what was seen to happen."""
        if one.path in self._void:
            return
        self._heard.add(one.path)
        before = self.changes.get(one.path)
        kind: str | None = one.change
        if before and before.kind == ADDED:
            kind = None if kind == DELETED else ADDED
        elif before and before.kind == DELETED and kind == ADDED:
            kind = MODIFIED
        elif before and kind == MODIFIED:
            kind = before.kind
        lines = before[1:] if before else ()
        self._put(one.path, ChangeMark(kind, *lines) if kind else None)

    def measured(self, deltas: Iterable[MeasuredFile]) -> list[str]:
        """Store all measured changes, and return the paths whose kind changed."""
        marks: dict[str, ChangeMark] = {}
        self.left_out = 0
        for delta in deltas:
            if len(marks) < MAX_CHANGES:
                marks[delta.path] = ChangeMark(str(delta.kind), delta.insertions, delta.deletions)
            else:
                self.left_out += 1
        void = (self._void | self._heard) - marks.keys()
        self._void, self._heard = (void if len(void) <= MAX_CHANGES else set()), set()
        other: list[str] = []
        for path in self.changes.keys() | marks.keys():
            was, now = self.changes.get(path), marks.get(path)
            if was != now:
                self._put(path, now)
            if (was and was.kind) != (now and now.kind):
                other.append(path)
        return other

    def _put(self, path: str, mark: ChangeMark | None) -> None:
        old = self.changes.pop(path, None)
        if mark:
            self.changes[path] = mark
        was, now = old or ChangeMark(""), mark or ChangeMark("")
        files = (mark is not None) - (old is not None)
        gone = (now.kind == DELETED) - (was.kind == DELETED)
        inside = path
        while inside:
            folder = parent_of(inside)
            self._files[folder] += files
            self._insertions[folder] += now.insertions - was.insertions
            self._deletions[folder] += now.deletions - was.deletions
            if gone:
                self._gone.setdefault(folder, Counter())[inside] += gone
            inside = folder
