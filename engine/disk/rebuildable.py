"""Folders that can be made again, such as `node_modules`, taken out of a workspace."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.locks import to_the_end
from engine.config.paths import Paths
from engine.disk.cleanup_plan import RebuildableFolder
from engine.disk.scan.scanner import FolderScanner
from engine.domain.errors import user_error
from engine.domain.hosts import local_path
from engine.domain.model import Run
from engine.domain.text import printable_name
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.files import removal
from engine.workspaces.files.rooted_dir import RootedDir, is_gits


@dataclass(slots=True)
class RebuildableRemoval:
    """The result of a removal of folders: the bytes freed, and why some of them stay."""

    freed: int = 0
    kept: list[str] = field(default_factory=list[str])


async def find(
    run: Run, paths: Paths, names: Iterable[str], scanner: FolderScanner
) -> tuple[RebuildableFolder, ...]:
    """List the rebuildable folders of a run's workspace, without those that hold work.

    Raises `UserError`, mostly CHANGES_UNKNOWN: then it is unknown which files are work.
    """
    counted, root = await _counted(run, paths)
    wanted = frozenset(map(os.fsencode, names))
    found = await asyncio.to_thread(_found, root, wanted, _parents_of(counted))
    return tuple(
        [
            RebuildableFolder(
                os.fsdecode(path), await _disk(scanner, root / os.fsdecode(path)), *which
            )
            for path, which in found
        ]
    )


async def strip(run: Run, paths: Paths, planned: Sequence[RebuildableFolder]) -> RebuildableRemoval:
    """Remove these folders of a run's workspace for good, and nothing else.

    One that is another folder by now, or holds a file that counts as work, stays.
    """
    counted, root = await _counted(run, paths)
    kept, done = _parents_of(counted), RebuildableRemoval()
    async with FolderScanner() as scanner:
        for folder in planned:
            if os.fsencode(folder.path) in kept:
                done.kept.append(f"{printable_name(folder.path)} holds work by now")
                continue
            disk = await _disk(scanner, root / folder.path)
            left = await to_the_end(asyncio.to_thread(_remove, root, folder))
            disk -= await _disk(scanner, root / folder.path) if left else 0
            done.freed += max(0, disk)
            done.kept += left
    return done


async def _counted(run: Run, paths: Paths) -> tuple[list[bytes], Path]:
    if run.workspace is None:
        raise user_error("WORKSPACE_MISSING")
    if not run.baseline:
        raise user_error("CHANGES_UNKNOWN")
    folder = paths.checkpoints(run.id, local_path(run.workspace))
    store = await Checkpoints.open(folder, run.workspace)
    return await store.counted(), local_path(run.workspace)


async def _disk(scanner: FolderScanner, path: Path) -> int:
    disk = 0
    async for told in scanner.measure(path):
        disk = told.figures.disk
    return disk


def _remove(root: Path, folder: RebuildableFolder) -> list[str]:
    """Remove a folder below `root`, reached through no link; return why something of it stays."""
    shown = printable_name(folder.path)
    try:
        with RootedDir(root) as below:
            name, parent = below.place(os.fsencode(folder.path))
            info = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if (info.st_dev, info.st_ino) != (folder.device, folder.inode):
                return [f"{shown} is no longer the folder that was listed"]
            left = removal.remove_in(parent, os.fsdecode(name)).left
            return [f"{shown} could not be removed whole: {left[0]}"] if left else []
    except FileNotFoundError:  # gone already
        return []
    except OSError as error:
        return [f"{shown} cannot be reached: {error.strerror or error}"]


def _found(
    root: Path, names: frozenset[bytes], kept: Collection[bytes]
) -> list[tuple[bytes, tuple[int, int]]]:
    """Find the topmost folders so called that are not `kept`, each with device and inode."""
    found: list[tuple[bytes, tuple[int, int]]] = []
    with RootedDir(root) as below:
        waiting = [b""]
        while waiting:
            inside = waiting.pop()
            for name, info in _folders(below, inside):
                path = inside + b"/" + name if inside else name
                if is_gits(path) or info.st_dev != below.device:
                    continue
                if name not in names or path in kept:
                    waiting.append(path)
                elif not removal.mounted_in(root / os.fsdecode(path)):
                    found.append((path, (info.st_dev, info.st_ino)))
    return sorted(found)


def _folders(below: RootedDir, inside: bytes) -> list[tuple[bytes, os.stat_result]]:
    try:
        with os.scandir(below.folder(inside)) as entries:
            found = [(os.fsencode(one.name), one.stat(follow_symlinks=False)) for one in entries]
    except OSError:  # not to be looked into, so not listed
        return []
    return [(name, info) for name, info in found if stat.S_ISDIR(info.st_mode)]


def _parents_of(paths: Iterable[bytes]) -> frozenset[bytes]:
    return frozenset(parent for path in paths for parent in _parents(path))


def _parents(path: bytes) -> Iterable[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path
