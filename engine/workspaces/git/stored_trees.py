"""Trees put into a store of ours, as one pack, without starting git for each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from engine.domain.errors import os_failure
from engine.workspaces.git.file_record import FILE, FileRecord
from engine.workspaces.git.folder_trees import FOLDER, trees
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.pack import Pack
from engine.workspaces.git.repository import object_format_of

Part = Mapping[bytes, Entry | None] | Entry | bytes
"""Part of a tree: the files of a folder, an object that is there already, or a text."""


async def store_tree(git: Git, parts: Mapping[bytes, Part]) -> str:
    """Store a tree with all that it is made of, in one pack, and return its id."""
    try:
        return await asyncio.to_thread(_packed, git.git_dir, parts)
    except OSError as error:
        raise os_failure(error) from error


def _packed(git_dir: Path, parts: Mapping[bytes, Part]) -> str:
    with Pack(git_dir, object_format_of(git_dir)) as pack:

        def add(tree: bytes) -> str:
            return pack.add("tree", tree)

        entries: dict[bytes, Entry] = {}
        for name, part in parts.items():
            if isinstance(part, bytes):
                entries[name] = FILE, pack.add("blob", part)
            elif isinstance(part, tuple):
                entries[name] = part
            else:
                entries[name] = FOLDER, trees(_records(part), (), {}, add)[b""]
        return trees(_records(entries), (), {}, add)[b""]


def _records(files: Mapping[bytes, Entry | None]) -> dict[bytes, FileRecord]:
    return {path: FileRecord(*entry, 0, 0, 0, 0) for path, entry in files.items() if entry}
