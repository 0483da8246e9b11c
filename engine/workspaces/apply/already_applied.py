"""Files of the working tree that are already what a merge makes of them: it leaves them alone."""

from __future__ import annotations

import asyncio
import io
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from pathlib import Path

from engine.workspaces.apply.line_endings import LineEndings
from engine.workspaces.checkpoints.changes import FileSides, is_submodule
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.contents import Content, is_same
from engine.workspaces.git.file_record import git_mode
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository


async def arrived(
    repository: Repository, line_ends: LineEndings, pairs: Iterable[FileSides]
) -> set[bytes]:
    """Return the paths whose file is as `pair.new` has it, with nothing else staged for it.

    So it is after an apply as edits, or where the run worked in the folder itself. Raises
    `UserError`.
    """
    assert repository.top
    changed = list(pairs)
    asked = [
        pair
        for pair in changed
        if not is_submodule(pair)
        and os.path.lexists(repository.top / os.fsdecode(pair.path)) == (pair.new is not None)
    ]
    links = [pair for pair in changed if is_submodule(pair)]
    if not asked and not links:
        return set()
    staged = await index_files(repository)
    # The checkout of a submodule stays: only the index holds its commit.
    moved = {pair.path for pair in links if staged.get(pair.path) == pair.new}
    free = [pair for pair in asked if staged.get(pair.path) in (pair.old, pair.new)]
    gone = [pair for pair in free if pair.new is None]
    found = await asyncio.to_thread(_same, repository.top, gone, {})
    come = {pair.path: pair for pair in free if pair.new}
    wanted = {path: pair.new for path, pair in come.items() if pair.new}
    async with aclosing(line_ends.laid_out(wanted)) as groups:
        async for data in groups:
            some = [come[path] for path in data]
            found |= await asyncio.to_thread(_same, repository.top, some, data)
    other = {path: entry for path, entry in wanted.items() if path not in found}
    alike = await line_ends.alike(repository.top, other)
    modes = await asyncio.to_thread(_modes, repository.top, alike)
    return found | moved | {path for path in alike if modes[path] == wanted[path][0]}


async def index_files(repository: Repository) -> dict[bytes, Entry]:
    """Return what the index has, of what is not in conflict."""
    found: dict[bytes, Entry] = {}
    for line in (await repository.git.run("ls-files", "-s", "-z")).split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            mode, oid, stage = head.decode("ascii").split()
            found[path] = (int(mode, 8), oid) if stage == "0" else (0, "")
    return found


def _same(top: Path, pairs: Iterable[FileSides], data: Mapping[bytes, Content]) -> set[bytes]:
    with RootedDir(top) as below:
        return {pair.path for pair in pairs if _is_same(below, pair, data.get(pair.path))}


def _modes(top: Path, paths: Iterable[bytes]) -> dict[bytes, int]:
    """Return the modes of files as git has them, 0 for one that is missing."""
    with RootedDir(top) as below:
        found = {path: below.stat(path) for path in paths}
    return {path: git_mode(info.st_mode) if info else 0 for path, info in found.items()}


def _is_same(below: RootedDir, pair: FileSides, data: Content | None) -> bool:
    info = below.stat(pair.path)
    if pair.new is None or info is None:
        return pair.new is None and info is None
    if git_mode(info.st_mode) != pair.new[0] or data is None:
        return False
    if stat.S_ISLNK(info.st_mode):
        return below.link_target(pair.path) == data
    with io.BytesIO(data) if isinstance(data, bytes) else data.open("rb") as content:
        return is_same(below, pair.path, content)
