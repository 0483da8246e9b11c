"""Answers of a node to messages about the files of workspaces: listed and read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.domain.hosts import local_path
from engine.execution.cluster.messages import CHUNK_BYTES, Message
from engine.execution.cluster.node.workspaces import Handler, HomeWorkspaces, on
from engine.execution.cluster.workspace_messages import (
    FileEntry,
    FilePiece,
    FileSizes,
    ListFiles,
    ListFolder,
    ReadPiece,
)
from engine.workspaces.files.open_file import open_file
from engine.workspaces.files.tree import TreeEntry, list_files, list_folder, preview, sizes_of


async def folder(home: HomeWorkspaces, sent: ListFolder) -> tuple[FileEntry, ...]:
    """List one folder."""
    root, inside = await _root(home, sent.path), os.fsdecode(sent.folder)
    return _entries(await asyncio.to_thread(list_folder, root, inside, sizes=sent.sizes))


async def files(home: HomeWorkspaces, sent: ListFiles) -> tuple[FileEntry, ...]:
    """List all files."""
    return _entries(await asyncio.to_thread(list_files, await _root(home, sent.path)))


async def sizes(home: HomeWorkspaces, sent: FileSizes) -> dict[bytes, int]:
    """Return sizes."""
    names = [os.fsdecode(one) for one in sent.files]
    found = await asyncio.to_thread(sizes_of, await _root(home, sent.path), names)
    return {os.fsencode(name): size for name, size in found.items()}


async def piece(home: HomeWorkspaces, sent: ReadPiece) -> FilePiece:
    """Read a piece."""
    root, name = await _root(home, sent.path), os.fsdecode(sent.file)
    limit_bytes = max(0, min(sent.limit_bytes, CHUNK_BYTES))
    return await asyncio.to_thread(_piece, root, name, sent.offset, limit_bytes)


def _piece(root: Path, name: str, offset: int, limit_bytes: int) -> FilePiece:
    if offset <= 0:
        found = preview(root, name, limit_bytes)
        return FilePiece(found.mode, found.size_bytes, found.data)
    file = open_file(root, name)
    try:
        return FilePiece(0, file.size_bytes, file.read(offset, limit_bytes))
    finally:
        file.close()


async def _root(home: HomeWorkspaces, path: str) -> Path:
    return local_path((await home.note(path)).workspace)


def _entries(found: Iterable[TreeEntry]) -> tuple[FileEntry, ...]:
    return tuple(
        FileEntry(os.fsencode(one.path), one.is_folder, one.is_link, one.size_bytes)
        for one in found
    )


HANDLERS: Mapping[type[Message[Any]], Handler] = {
    ListFolder: on(folder),
    ListFiles: on(files),
    FileSizes: on(sizes),
    ReadPiece: on(piece),
}
