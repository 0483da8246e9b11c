"""A checkpoint's tree with some files changed, without an index.

An index cannot hold the commits of nested repositories as a checkpoint's tree does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from engine.workspaces.git import objects
from engine.workspaces.git.file_record import FileRecord
from engine.workspaces.git.folder_trees import FOLDER, trees
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.pack import Pack, object_id

_FORMATS = {40: "sha1", 64: "sha256"}


async def changed_tree(git: Git, tree: str, files: Mapping[bytes, Entry | None]) -> str:
    """Build the tree of a checkpoint with these files changed (None: without them)."""
    if not files:
        return tree
    entries = await objects.tree(git, tree, with_folders=True)
    return await asyncio.to_thread(_build, git, tree, entries, files)


def _build(
    git: Git, tree: str, entries: Mapping[bytes, Entry], files: Mapping[bytes, Entry | None]
) -> str:
    known = {path: oid for path, (mode, oid) in entries.items() if mode == FOLDER}
    there = {path: entry for path, entry in entries.items() if entry[0] != FOLDER}
    wanted = {path: entry for path, entry in {**there, **files}.items() if entry}
    records = {path: FileRecord(mode, oid, 0, 0, 0, 0) for path, (mode, oid) in wanted.items()}
    algorithm = _FORMATS[len(tree)]
    kept = {tree, *known.values()}
    with Pack(git.git_dir, algorithm) as pack:

        def add(data: bytes) -> str:
            oid = object_id(algorithm, data, "tree")
            return oid if oid in kept else pack.add("tree", data)

        return trees(records, files, {b"": tree, **known}, add)[b""]
