"""Files that two sides changed, with standard markers around the lines that conflict."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import objects
from engine.workspaces.git.file_record import IN_MEMORY_BYTES
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry

_MARKERS = (re.compile(rb"^<<<<<<< ", re.M), re.compile(rb"^>>>>>>> ", re.M))


async def with_markers(
    git: Git,
    pairs: Iterable[FileSides],
    ours: Mapping[bytes, Entry],
    labels: tuple[str, str, str],
) -> dict[bytes, Entry]:
    """Return the files of these changes that are text on both sides, merged with markers.

    The labels name our side, the base and their side. Other files stay as they are in `ours`.
    """
    found: dict[bytes, Entry] = {}
    for pair in pairs:
        mine, new = ours.get(pair.path), pair.new
        if mine is None or new is None or not await _is_text(git, pair.old, mine, new):
            continue
        wanted = {side[1] for side in (pair.old, mine, new) if side}
        data = await objects.blobs(git, wanted)
        base = data[pair.old[1]] if pair.old else b""
        text = await objects.with_markers(git, base, data[mine[1]], data[new[1]], labels)
        if text is not None:
            found[pair.path] = mine[0], await objects.store(git, text)
    return found


async def _is_text(git: Git, *sides: Entry | None) -> bool:
    there = [side for side in sides if side]
    if not all(stat.S_ISREG(mode) for mode, _ in there):
        return False
    sizes = await objects.sizes(git, (oid for _, oid in there))
    return max(sizes.values()) <= IN_MEMORY_BYTES


def marked(root: Path, paths: Sequence[bytes]) -> list[bytes]:
    """Return which of these files below a folder still have conflict markers. Blocking."""
    found: list[bytes] = []
    with RootedDir(root) as below:
        for path in paths:
            info = below.stat(path)
            if info is None or not stat.S_ISREG(info.st_mode):
                continue
            with open(below.open(path), "rb") as file:  # noqa: PTH123  an open descriptor
                data = file.read(IN_MEMORY_BYTES)
            if all(pattern.search(data) for pattern in _MARKERS):
                found.append(path)
    return found
