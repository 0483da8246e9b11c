"""The files of the last checkpoint of a run whose node does not answer."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from engine.domain.text import printable_name
from engine.workspaces.files.open_file import missing
from engine.workspaces.files.tree import FilePreview, TreeEntry
from engine.workspaces.git import objects
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.git import Git

FOLDER = 0o040000


@dataclass(frozen=True, slots=True)
class MirrorFiles:
    """The files of the tree `tree`; every method raises `UserError`."""

    git: Git
    tree: str

    async def folder(self, path: str, *, sizes: bool) -> list[TreeEntry]:
        """List one folder, folders first."""
        name = os.fsencode(path)
        treeish = f"{self.tree}:{path}" if path else self.tree
        if path and await self._mode(name) != FOLDER:
            raise missing(path, "listed")
        out = await self.git.run("ls-tree", "-z", "-l", os.fsencode(treeish))
        lines = (line.split(b"\t", 1) for line in out.split(b"\0") if line)
        found = [_entry(path, head, inside, sizes=sizes) for head, inside in lines]
        return sorted(found, key=lambda one: (not one.is_folder, one.name.casefold(), one.name))

    async def files(self) -> list[TreeEntry]:
        """List all files."""
        found = await objects.tree(self.git, self.tree)
        return [
            TreeEntry(os.fsdecode(path), printable_name(os.fsdecode(path.rpartition(b"/")[2])))
            for path, (mode, _) in found.items()
            if mode != SUBMODULE
        ]

    async def sizes(self, paths: Sequence[str]) -> dict[str, int]:
        """Return the sizes of files."""
        names = [os.fsencode(path) for path in paths]
        found = await objects.tree(self.git, self.tree, names) if names else {}
        wanted = {os.fsencode(path) for path in paths}
        ids = {path: oid for path, (mode, oid) in found.items() if mode != SUBMODULE}
        measured = await objects.sizes(self.git, ids.values())
        return {os.fsdecode(path): measured[oid] for path, oid in ids.items() if path in wanted}

    async def preview(self, path: str, limit_bytes: int) -> FilePreview:
        """Return a preview of a file, a link or a folder."""
        name = os.fsencode(path)
        if await self._mode(name) == FOLDER:
            return FilePreview(stat.S_IFDIR | 0o755, 0)
        found = (await objects.tree(self.git, self.tree, [name])).get(name)
        if found is None or found[0] == SUBMODULE:
            raise missing(path, "found")
        data = (await objects.blobs(self.git, [found[1]]))[found[1]]
        return FilePreview(found[0], len(data), data[:limit_bytes])

    async def read(self, path: str, limit_bytes: int) -> bytes:
        """Return a file, at most `limit_bytes` of it; never through a link."""
        found = await self.preview(path, limit_bytes)
        if not found.is_file:
            raise missing(path, "read")
        return found.data

    async def _mode(self, name: bytes) -> int:
        found = await objects.tree(self.git, self.tree, [name], with_folders=True)
        return found[name][0] if name in found else 0


def _entry(folder: str, head: bytes, name: bytes, *, sizes: bool) -> TreeEntry:
    mode, _, _, size = head.split()
    shown = os.fsdecode(name)
    size_bytes = int(size) if sizes and size.isdigit() else None
    return TreeEntry(
        f"{folder}/{shown}" if folder else shown,
        printable_name(shown),
        is_folder=mode in (b"040000", b"160000"),
        is_link=mode == b"120000",
        size_bytes=size_bytes,
    )
