"""A tree of folders as far as it was listed: which lines it has, what changed, what to list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from engine.domain.events import FileChange
from engine.domain.text import printable_name


class Entry(Protocol):
    """A file or folder as `Engine.folder` gives it."""

    @property
    def path(self) -> str:
        """The path relative to the workspace."""
        ...

    @property
    def name(self) -> str:
        """The name, safe to show."""
        ...

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and no link to one."""
        ...

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link, to whatever."""
        ...

    @property
    def size_bytes(self) -> int:
        """Its size in bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Gone:
    """A file that was deleted and is shown all the same."""

    path: str
    name: str
    is_folder: bool = False
    is_link: bool = False
    size_bytes: int = 0


class Line(NamedTuple):
    """A line of the tree: an entry, or what there is to say instead of a folder's entries."""

    entry: Entry | None
    path: str
    depth: int
    text: str = ""


def parent_of(path: str) -> str:
    """Give the folder a path is in; the workspace itself is `""`."""
    return path.rpartition("/")[0]


class FolderTree:
    """What is known of a workspace: listed folders, open ones, changed files."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.changes: dict[str, str] = {}
        """The change of each changed path, against the start: added, modified or deleted."""
        self.changed_below: Counter[str] = Counter()
        """How many changed files are below each folder."""
        self._listed: dict[str, list[Entry]] = {}
        self._trouble: dict[str, str] = {}
        self._open: set[str] = {""}

    # Folders

    def is_open(self, path: str) -> bool:
        """Whether a folder's entries are shown."""
        return path in self._open

    def is_listed(self, path: str) -> bool:
        """Whether a folder's entries are known."""
        return path in self._listed

    def open(self, path: str) -> bool:
        """Show a folder's entries, and say whether they are known."""
        self._open.add(path)
        self._renew(path)
        return path in self._listed

    def close(self, path: str) -> None:
        """Hide a folder's entries; what is open below stays so for the next time."""
        self._open.discard(path)
        self._renew(path)

    def listed(self, path: str, entries: Sequence[Entry]) -> None:
        """Take in what is in a folder now."""
        self._trouble.pop(path, None)
        self._listed[path] = self._with_gone(path, entries)
        self._renew(path)

    def failed(self, path: str, text: str) -> None:
        """Take in why a folder could not be listed."""
        self._listed.pop(path, None)
        self._trouble[path] = text
        self._renew(path)

    def _with_gone(self, path: str, entries: Sequence[Entry]) -> list[Entry]:
        there = {entry.path for entry in entries}
        gone: list[Entry] = [
            Gone(lost, printable_name(lost.rpartition("/")[2]))
            for lost, change in self.changes.items()
            if change == "deleted" and lost not in there and parent_of(lost) == path
        ]
        if not gone:
            return list(entries)
        return sorted(
            [*entries, *gone],
            key=lambda entry: (not entry.is_folder, entry.name.casefold(), entry.name),
        )

    # Changes

    def change(self, changes: Iterable[FileChange]) -> set[str]:
        """Mark changed files, and give the listed folders that have to be listed again."""
        stale: set[str] = set()
        for one in changes:
            self._mark(one)
            folder = parent_of(one.path)
            while folder and folder not in self._listed:
                folder = parent_of(folder)
            stale.add(folder)
        # What is closed is listed again when it is opened.
        for folder in stale - self._open:
            self._listed.pop(folder, None)
        return {folder for folder in stale & self._open if self._is_shown(folder)}

    def _is_shown(self, folder: str) -> bool:
        while folder:
            if folder not in self._open:
                return False
            folder = parent_of(folder)
        return True

    def _mark(self, one: FileChange) -> None:
        before = self.changes.get(one.path)
        after: str | None = one.change
        if before == "added":
            after = None if one.change == "deleted" else "added"
        elif before == "deleted" and one.change == "added":
            after = "modified"
        step = (after is not None) - (before is not None)
        if after is None:
            del self.changes[one.path]
        else:
            self.changes[one.path] = after
        folder = one.path
        while step and folder:
            folder = parent_of(folder)
            self.changed_below[folder] += step

    # Lines

    def _renew(self, path: str) -> None:
        """Put the lines of one folder in the place of those it had."""
        if not path:
            self.lines = list(self._lines_of("", 0))
            return
        at = self.find(path)
        if at is None:
            return
        depth, end = self.lines[at].depth, at + 1
        while end < len(self.lines) and self.lines[end].depth > depth:
            end += 1
        self.lines[at + 1 : end] = self._lines_of(path, depth + 1)

    def _lines_of(self, path: str, depth: int) -> Iterator[Line]:
        if path not in self._open:
            return
        if path in self._trouble:
            yield Line(None, path, depth, self._trouble[path])
        for entry in self._listed.get(path, ()):
            yield Line(entry, entry.path, depth)
            if entry.is_folder and entry.path in self._open:
                yield from self._lines_of(entry.path, depth + 1)

    def find(self, path: str, near: int = 0) -> int | None:
        """Give the line of a path; `near` is where it was last seen."""
        if near < len(self.lines) and self.lines[near].path == path:
            return near
        return next(
            (index for index, line in enumerate(self.lines) if line.path == path and line.entry),
            None,
        )
