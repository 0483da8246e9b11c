"""Source of a tree's folders, sizes and changes: read one by one, never all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.domain.errors import UserError
from tui.terminal.cells import clean
from tui.widgets.files.folder_tree import FolderEntry, FolderTree
from tui.widgets.files.tree_marks import MeasuredFile, parent_of


class MeasuredChanges(Protocol):
    """Changes in a workspace, as the engine measures them."""

    @property
    def files(self) -> Sequence[MeasuredFile]:
        """The changed files."""
        ...


class TreeSource(Protocol):
    """Functions that a tree reads from: methods of `Engine.workspaces`, all raise `UserError`."""

    async def folder(self, run: str, path: str, *, sizes: bool) -> Sequence[FolderEntry]:
        """List a folder."""
        ...

    async def sizes(self, run: str, paths: Sequence[str]) -> dict[str, int]:
        """Return the sizes of files in bytes."""
        ...

    async def files(self, run: str) -> Sequence[FolderEntry]:
        """List all files worth a look."""
        ...

    async def changes(self, run: str) -> MeasuredChanges:
        """Measure what changed since the start."""
        ...


class TreeFeed:
    """Feed of the tree of one run's workspace."""

    def __init__(self, run: str, source: TreeSource) -> None:
        self.run = run
        self.tree = FolderTree()
        self.stale: set[str] = set()
        """Folders that are to be listed again."""
        self._source = source
        self._unsized: set[str] = set()
        self._asked: set[str] = set()

    async def list_folder(self, path: str) -> None:
        """List a folder, or learn why that cannot be."""
        try:
            entries = await self._source.folder(self.run, path, sizes=False)
        except UserError as error:
            self.tree.failed(path, clean(error.message))
        else:
            self.tree.listed(path, entries)
            self._asked.clear()

    async def list_stale(self) -> None:
        """List the folders again in which something changed."""
        stale, self.stale = sorted(self.stale), set()
        for path in stale:
            await self.list_folder(path)
            if path and not self.tree.is_listed(path):
                await self.list_folder(parent_of(path))  # it may be gone

    async def measure(self) -> bool:
        """Measure the changes, and return whether that was possible."""
        try:
            changes = await self._source.changes(self.run)
        except UserError:  # not begun yet, or without checkpoints: what is heard of is marked
            return False
        self.stale |= self.tree.measured(changes.files)
        self._asked.clear()
        return True

    async def files(self) -> Sequence[FolderEntry] | None:
        """Return all files that matter; None where they cannot be listed."""
        try:
            return await self._source.files(self.run)
        except UserError:
            return None

    def want_size(self, path: str) -> bool:
        """Request a file's size, and return whether the request is new."""
        if path in self._asked:
            return False
        self._asked.add(path)
        self._unsized.add(path)
        return True

    async def find_sizes(self) -> None:
        """Look up the sizes that are wanted: those of lines that were drawn."""
        paths, self._unsized = list(self._unsized), set()
        try:
            self.tree.sizes |= await self._source.sizes(self.run, paths)
        except UserError:
            return
