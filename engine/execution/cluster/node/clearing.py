"""Workspaces measured on a node, and removed there without the rest of their run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.execution.cluster.node.forgetting import remove_workspace
from engine.execution.cluster.node.home import Handlers, NodeHome
from engine.execution.cluster.node.notes import Notes
from engine.execution.cluster.node.workspaces import opened
from engine.execution.cluster.workspace_messages import (
    MeasureWorkspaces,
    RemoveWorkspace,
    WorkspaceSizes,
)
from engine.execution.local import orphans

BLOCK_BYTES = 512


async def measure(home: NodeHome, sent: MeasureWorkspaces) -> WorkspaceSizes:
    """Measure workspaces, as long as it takes."""

    async def work() -> dict[str, int]:
        return await asyncio.to_thread(_sizes, Notes(home.paths), sent.paths)

    done = await opened(home).operations.result(sent.token, work)
    return WorkspaceSizes(True, done.value) if done else WorkspaceSizes(is_done=False)


async def remove(home: NodeHome, sent: RemoveWorkspace) -> bool:
    """Remove a workspace, unless its run is at work."""
    run = home.run(sent.run)
    async with home.locked(run):
        if any(living.run == run for living in await orphans.find(home.paths)):
            raise user_error("WORKSPACE_BUSY", f"The run {run} is at work on the node.")
        try:
            note = await asyncio.to_thread(Notes(home.paths).of_path, sent.path)
        except UserError:
            return True
        if Path(note.path).name.partition("-")[0] != run:
            raise user_error("NODE_CANNOT", "The workspace is that of another run.")
        await asyncio.to_thread(remove_workspace, home, note)
    return True


def _sizes(notes: Notes, paths: Sequence[str]) -> dict[str, int]:
    """Return the sizes of the folders that are workspaces. Blocking."""
    found: dict[str, int] = {}
    for path in paths:
        try:
            found[path] = _size(notes.of_path(path).path)
        except (UserError, OSError):
            continue
    return found


def _size(folder: str) -> int:
    """Return what a folder takes; a file with several names counts once. Blocking."""
    total, linked = os.lstat(folder).st_blocks, set[tuple[int, int]]()
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            try:
                info = os.lstat(f"{at}/{name}")
            except OSError:  # it went in this moment
                continue
            if info.st_nlink > 1 and name in files:
                if (info.st_dev, info.st_ino) in linked:
                    continue
                linked.add((info.st_dev, info.st_ino))
            total += info.st_blocks
    return total * BLOCK_BYTES


HANDLERS: Handlers = {MeasureWorkspaces: measure, RemoveWorkspace: remove}
