"""Filters that a repository asks for, which are never run: the user is told."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path

from engine.workspace.below import Below
from engine.workspace.git import Git

ATTRIBUTES_BYTES = 1024 * 1024
_FILTER = re.compile(rb"(?m)^[^#\n]*\sfilter=")


async def filters(git: Git, target: Path) -> list[str]:
    """Give what there is to tell of the files checked out at `target`."""
    assert git.index
    if b".gitattributes" not in await asyncio.to_thread(git.index.read_bytes):
        return []  # an index as git writes it for us has its names in whole
    out = await git.run("ls-files", "-z")
    paths = [path for path in out.split(b"\0") if path.split(b"/")[-1] == b".gitattributes"]
    if not await asyncio.to_thread(_ask_for_filters, target, paths):
        return []
    return [
        "the repository asks for filters (Git LFS, for instance), which were not run: "
        "such files are in the workspace as git stores them"
    ]


def _ask_for_filters(target: Path, paths: Sequence[bytes]) -> bool:
    with Below(target) as below:
        for path in paths:
            try:
                handle = below.open(path)
            except OSError:
                continue
            with os.fdopen(handle, "rb") as file:
                if _FILTER.search(file.read(ATTRIBUTES_BYTES)):
                    return True
    return False
