"""Files of a workspace that no snapshot has, in the way of files of the base.

git ignores them, or they are not regular files. No content of theirs may be lost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.workspaces.apply.file_transaction import obstacle
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import objects
from engine.workspaces.git.file_record import IN_MEMORY_BYTES, LINK, git_mode
from engine.workspaces.git.objects import Entry

_Found = dict[bytes, tuple[int, bytes | None]]
"""The modes and contents of files; no content where it is large or cannot be read."""


async def uncounted(
    store: Checkpoints, ours: Mapping[bytes, Entry], paths: Iterable[bytes]
) -> dict[bytes, Entry]:
    """Return what is in the way of files at these paths and not in `ours`.

    A file without content to compare has an entry without mode and object: it only conflicts.
    """
    found = await asyncio.to_thread(_found, store.root, ours, paths)
    return {
        path: (mode, "" if data is None else await objects.store(store.git, data))
        for path, (mode, data) in found.items()
    }


def _found(root: Path, ours: Mapping[bytes, Entry], paths: Iterable[bytes]) -> _Found:
    counted, found = set(ours), _Found()
    with RootedDir(root) as below:
        for path in paths:
            try:
                blocking = obstacle(below, path, counted)
            except OSError:  # a folder that cannot be read: it conflicts, and stays
                found[path] = 0, None
                continue
            if blocking is not None:
                found[blocking] = _content(below, blocking)
    return found


def _content(below: RootedDir, path: bytes) -> tuple[int, bytes | None]:
    info = below.stat(path)
    mode = git_mode(info.st_mode) if info else 0
    if info is None or not mode or info.st_size > IN_MEMORY_BYTES:
        return 0, None
    try:
        if mode == LINK:
            return mode, below.link_target(path)
        with os.fdopen(below.open(path), "rb") as file:
            return mode, file.read(IN_MEMORY_BYTES)
    except OSError:  # what cannot be read conflicts, and stays
        return 0, None
