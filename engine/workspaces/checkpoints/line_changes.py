"""The lines that a run changed, from its checkpoints."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection

from engine.domain.changed_lines import WHOLE, ChangedLines, FileLines, parse_hunks
from engine.workspaces.checkpoints.changes import DIFF, FileSides
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE
from engine.workspaces.checkpoints.checkpoints import Checkpoints

PATCH = (*(word for word in DIFF if word != "-z"), "-p", "-U0", "--no-renames")
LIMIT_BYTES = 8 * 1024**2
"""The size of a diff up to which its lines are read."""
MAX_FILES = 200


async def changed_lines(store: Checkpoints, until: int, paths: Collection[str]) -> ChangedLines:
    """Return the lines of these files that changed up to a checkpoint; raises `UserError`."""
    old, new, _ = await store.trees(BASELINE, until)
    wanted = {os.fsencode(path) for path in paths}
    pairs = [pair for pair in await store.between(old, new) if pair.path in wanted][:MAX_FILES]
    if not pairs:
        return {}
    names = [pair.path for pair in pairs]
    out = await store.git.run(*PATCH, old, new, "--", *names, limit_bytes=LIMIT_BYTES)
    return await asyncio.to_thread(_by_path, pairs, out)


def _by_path(pairs: list[FileSides], out: bytes) -> ChangedLines:
    """Pair the sections of a diff with the changed files: git writes both in the same order."""
    sections = (b"\n" + out).split(b"\ndiff --git ")[1:]
    if len(sections) != len(pairs):  # a path that is a folder on one side
        return {os.fsdecode(pair.path): FileLines(_base(pair)) for pair in pairs}
    return {
        os.fsdecode(pair.path): FileLines(_base(pair), parse_hunks(section.split(b"\n")))
        if pair.old and pair.new
        else FileLines(_base(pair), WHOLE)
        for pair, section in zip(pairs, sections, strict=True)
    }


def _base(pair: FileSides) -> str:
    return pair.old[1] if pair.old else ""
