"""A workspace's tree narrowed to files that match words, or to those that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from engine.domain.text import printable_name
from tui.widgets.files.folder_tree import FolderEntry, FolderTree, TreeLine, known
from tui.widgets.files.tree_marks import DELETED, parent_of

MAX_SHOWN = 2_000
"""Files that are shown at a time: every key filters again."""


@dataclass
class TreeFilter:
    """The filter of a tree: words, or changed files only; its folders are open until closed."""

    text: str = ""
    changed_only: bool = False
    closed: set[str] = field(default_factory=set[str])
    files: Sequence[FolderEntry] | None = None
    """All files of the workspace, as soon as they are listed."""
    count: int = 0
    """The number of files that match."""

    def __bool__(self) -> bool:
        """Return whether the filter leaves anything out."""
        return self.changed_only or bool(self.text.strip())

    @property
    def wants_files(self) -> bool:
        """True if files outside open folders are needed, too."""
        return bool(self.text.strip()) and not self.changed_only

    @property
    def summary(self) -> list[str]:
        """The words for the filter in a title."""
        parts = ["changed only"] if self.changed_only else []
        if self:
            parts.append(f"{self.count} found" if self.text.strip() else f"{self.count}")
        return parts

    def is_open(self, tree: FolderTree, path: str) -> bool:
        """Return whether the entries of a folder are shown."""
        return path not in self.closed if self else tree.is_open(path)

    def toggle(self, tree: FolderTree, path: str) -> bool:
        """Open or close a folder; return whether it has to be listed."""
        if self:
            self.closed ^= {path}
        elif tree.is_open(path):
            tree.close(path)
        else:
            tree.open(path)
            return True
        return False

    def lines(self, tree: FolderTree) -> list[TreeLine]:
        """Return the lines of all matches, each below its folders."""
        wanted, unwanted = _words(self.text)
        found: dict[str, FolderEntry] = {}
        self.count = 0
        for entry in self._candidates(tree):
            text = printable_name(entry.path).casefold()
            if all(word in text for word in wanted) and not any(word in text for word in unwanted):
                if entry.path in found:
                    continue
                self.count += 1
                if self.count <= MAX_SHOWN:
                    found[entry.path] = entry
        lines = list(self._arranged(found.values()))
        if self.count > MAX_SHOWN:
            lines.append(TreeLine(None, "", 0, f"{self.count - MAX_SHOWN} more match."))
        return lines

    def _candidates(self, tree: FolderTree) -> Iterator[FolderEntry]:
        for path, mark in tree.marks.changes.items():
            if self.changed_only or mark.kind == DELETED:
                yield known(path)
        if not self.changed_only:
            yield from tree.files() if self.files is None else self.files

    def _arranged(self, entries: Iterable[FolderEntry]) -> Iterator[TreeLine]:
        shown: set[str] = {""}
        for entry in sorted(entries, key=_order):
            folders: list[str] = []
            folder = parent_of(entry.path)
            while folder:
                folders.append(folder)
                folder = parent_of(folder)
            for depth, path in enumerate(reversed(folders)):
                if path not in shown:
                    shown.add(path)
                    yield TreeLine(known(path, is_folder=True), path, depth)
                if path in self.closed:
                    break
            else:
                yield TreeLine(entry, entry.path, len(folders))


def _order(entry: FolderEntry) -> list[tuple[bool, str, str]]:
    """Return the sort key of the tree: in each folder the folders first, by name."""
    *folders, name = map(printable_name, entry.path.split("/"))
    return [*((False, one.casefold(), one) for one in folders), (True, name.casefold(), name)]


def _words(text: str) -> tuple[list[str], list[str]]:
    words = text.casefold().split()
    return (
        [word for word in words if not word.startswith("!")],
        [word[1:] for word in words if len(word) > 1 and word[0] == "!"],
    )
