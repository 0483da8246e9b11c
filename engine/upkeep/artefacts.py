"""Folders that can be made again, such as `node_modules`, taken out of a workspace."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.model import Run
from engine.paths import Paths
from engine.upkeep.measure import Scanner
from engine.workspace import removal
from engine.workspace.below import Below, is_gits
from engine.workspace.checkpoints import Checkpoints
from engine.workspace.locks import to_the_end
from engine.workspace.removal import Removed


async def strip(run: Run, paths: Paths, names: Iterable[str]) -> int:
    """Remove such folders from a run's workspace for good, and give the bytes that this freed.

    One that holds a file which counts as work stays, whatever it is called; raises `UserError`.
    """
    if run.workspace is None:
        raise user_error("WORKSPACE_MISSING")
    folder = paths.checkpoints(run.id, run.workspace.path)
    if not folder.is_dir():
        raise user_error("WORK_UNSAVED", "It is not known which files of it count as work.")
    counted = await (await Checkpoints.open(folder, run.workspace)).counted()
    root = Path(run.workspace.path)
    found = await asyncio.to_thread(_found, root, frozenset(map(os.fsencode, names)), counted)
    freed = 0
    async with Scanner() as scanner:
        for path in found:
            disk = await _disk(scanner, root / os.fsdecode(path))
            done = await to_the_end(asyncio.to_thread(_remove, root, path))
            left = await _disk(scanner, root / os.fsdecode(path)) if done.left else 0
            freed += max(0, disk - left)
    return freed


async def _disk(scanner: Scanner, path: Path) -> int:
    disk = 0
    async for told in scanner.measure(path):
        disk = told.figures.disk
    return disk


def _remove(root: Path, path: bytes) -> Removed:
    """Remove a folder below `root`, reached through no link that was swapped in meanwhile."""
    try:
        with Below(root) as below:
            name, parent = below.place(path)
            return removal.remove_in(parent, os.fsdecode(name))
    except OSError as error:
        return Removed(left=[str(error)])


def _found(root: Path, names: frozenset[bytes], counted: Iterable[bytes]) -> list[bytes]:
    """Find the topmost folders so called that hold nothing which counts."""
    kept = {parent for path in counted for parent in _parents(path)}
    found: list[bytes] = []
    with Below(root) as below:
        waiting = [b""]
        while waiting:
            inside = waiting.pop()
            try:
                with os.scandir(below.folder(inside)) as entries:
                    folders = [
                        os.fsencode(entry.name)
                        for entry in entries
                        if entry.is_dir(follow_symlinks=False)
                    ]
            except OSError:
                continue
            for name in folders:
                path = inside + b"/" + name if inside else name
                if is_gits(path):
                    continue
                if name in names and path not in kept:
                    found.append(path)
                else:
                    waiting.append(path)
    return found


def _parents(path: bytes) -> Iterable[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path
