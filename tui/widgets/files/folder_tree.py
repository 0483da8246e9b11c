"""A tree of folders as far as it was listed: which lines it has, what changed, what to list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from engine.domain.events import FileChange
from engine.domain.text import printable_name
from tui.widgets.files.tree_marks import ChangeMark, ChangeMarks, MeasuredFile, parent_of

MAX_LISTED = 200_000
"""Entries that the engine lists of one folder: where there are as many, there may be more."""


class FolderEntry(Protocol):
    """A file or folder as the engine lists it."""

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
        """True for a folder; false for a link to one."""
        ...

    @property
    def is_link(self) -> bool:
        """True for a symbolic link of any kind."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """The size in bytes; None if unknown."""
        ...


class KnownEntry(NamedTuple):
    """A file or folder that was not listed: it is gone, or only an event named it."""

    path: str
    name: str
    is_folder: bool = False
    is_link: bool = False
    size_bytes: int | None = None


def known(path: str, *, is_folder: bool = False) -> KnownEntry:
    """Return an entry for a path."""
    return KnownEntry(path, printable_name(path.rpartition("/")[2]), is_folder)


class TreeLine(NamedTuple):
    """A line of the tree: an entry, or a text in the place of a folder's entries."""

    entry: FolderEntry | None
    path: str
    depth: int
    text: str = ""


def order(entry: FolderEntry) -> tuple[bool, str, str]:
    """Return the sort key: folders first, each by name."""
    return not entry.is_folder, entry.name.casefold(), entry.name


class FolderTree:
    """Known facts of a workspace: listed folders, open ones, changed files."""

    def __init__(self) -> None:
        self.lines: list[TreeLine] = []
        self.marks = ChangeMarks()
        self.sizes: dict[str, int] = {}
        """Sizes in bytes that were looked up after a folder was listed."""
        self._listed: dict[str, Sequence[FolderEntry]] = {}
        self._spelled: dict[str, str] = {}
        """The path of each listed folder by the name that events call it."""
        self._trouble: dict[str, str] = {}
        self._open: set[str] = {""}

    # Folders

    def is_open(self, path: str) -> bool:
        """Return whether a folder's entries are shown."""
        return path in self._open

    def is_listed(self, path: str) -> bool:
        """Return whether a folder's entries are known."""
        return path in self._listed

    def open(self, path: str) -> None:
        """Show a folder's entries, as far as they are known."""
        self._open.add(path)
        self._renew(path)

    def close(self, path: str) -> None:
        """Hide a folder's entries; folders open below it stay open for the next time."""
        self._open.discard(path)
        self._renew(path)

    def listed(self, path: str, entries: Sequence[FolderEntry]) -> None:
        """Record the entries of a folder."""
        self._trouble.pop(path, None)
        self._listed[path] = entries
        self._spelled[printable_name(path)] = path
        self._renew(path)

    def failed(self, path: str, text: str) -> None:
        """Record why a folder could not be listed."""
        self._listed.pop(path, None)
        self._trouble[path] = text
        self._renew(path)

    def files(self) -> Iterator[FolderEntry]:
        """Yield the files of all listed folders."""
        for entries in self._listed.values():
            yield from (entry for entry in entries if not entry.is_folder)

    # Changes

    def change(self, changes: Iterable[FileChange]) -> set[str]:
        """Mark changed files; return the listed folders that have to be listed again."""
        changed: list[str] = []
        for one in changes:
            self.marks.change(one)
            changed.append(one.path)
        return self._stale(changed)

    def measured(self, deltas: Iterable[MeasuredFile]) -> set[str]:
        """Mark exactly these changes; return the folders to be listed again."""
        changed = self.marks.measured(deltas)
        if changed:
            self._renew("")
        return self._stale(changed)

    def _stale(self, changed: Iterable[str]) -> set[str]:
        stale: set[str] = set()
        for path in changed:
            folder = parent_of(path)
            while folder and folder not in self._listed and folder not in self._spelled:
                folder = parent_of(folder)
            stale.add(self._spelled.get(folder, folder))
        # What is closed is listed again when it is opened.
        return {folder for folder in stale & self._open if self._is_shown(folder)}

    def _is_shown(self, folder: str) -> bool:
        while folder:
            if folder not in self._open:
                return False
            folder = parent_of(folder)
        return True

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

    def _lines_of(self, path: str, depth: int) -> Iterator[TreeLine]:
        if path not in self._open:
            return
        entries = self._with_gone(path)
        if path in self._trouble and not entries:
            yield TreeLine(None, path, depth, self._trouble[path])
        for entry in entries:
            yield TreeLine(entry, entry.path, depth)
            if entry.is_folder and entry.path in self._open:
                yield from self._lines_of(entry.path, depth + 1)
        if len(entries) >= MAX_LISTED:
            yield TreeLine(None, path, depth, "More is not listed.")

    def _with_gone(self, path: str) -> Sequence[FolderEntry]:
        """Return a folder's entries, deleted ones in their places."""
        entries = self._listed.get(path, ())
        gone = self.marks.gone_in(path)
        if gone:
            gone -= {entry.path for entry in entries}
        if not gone:
            return entries
        lost = (known(one, is_folder=one not in self.marks.changes) for one in gone)
        return sorted([*entries, *lost], key=order)

    def find(self, path: str, near: int = 0) -> int | None:
        """Return the line of a path; `near` is its last known line."""
        return find(self.lines, path, near)

    def mark(self, entry: FolderEntry) -> ChangeMark | None:
        """Return the change of an entry; for a folder, the sum of all below it."""
        if entry.is_folder:
            return self.marks.below(entry.path)
        return self.marks.changes.get(entry.path)


def find(lines: Sequence[TreeLine], path: str, near: int = 0) -> int | None:
    """Return the line of a path; `near` is its last known line."""
    if near < len(lines) and lines[near].path == path:
        return near
    return next(
        (index for index, line in enumerate(lines) if line.path == path and line.entry), None
    )


def find_near(
    lines: Sequence[TreeLine], path: str | None, near: int, *, has_folder: bool = False
) -> int:
    """Return the line of a path, else `near`; with `has_folder`, the nearest folder above it."""
    found = find(lines, path, near) if path is not None else None
    while found is None and has_folder and path:
        path = parent_of(path)
        found = find(lines, path) if path else None
    return near if found is None else found
