"""Filters that a repository asks for and that do not run: the user is told."""

from __future__ import annotations

import asyncio
import os
from collections import Counter

from engine.domain.text import printable_name
from engine.workspace.git import Git
from engine.workspace.user_git_config import UserGitConfig

SHOWN = 5


async def filters(git: Git, user: UserGitConfig) -> list[str]:
    """Return the notices about the files in the index of `git`."""
    if not await _may_be_asked_for(git, user):
        return []
    names = await git.run("ls-files", "-z")
    out = await git.run("check-attr", "-z", "--stdin", "filter", stdin=names)
    values = Counter(out.split(b"\0")[2::3])
    missing = sorted(
        (name, count)
        for name, count in values.items()
        if name not in (b"unspecified", b"unset", b"set")
        and user.filters.missing(os.fsdecode(name))
    )
    if not missing:
        return []
    shown = ", ".join(printable_name(os.fsdecode(name)) for name, _ in missing[:SHOWN])
    count = sum(count for _, count in missing)
    files = "1 file is" if count == 1 else f"{count} files are"
    return [
        f"the repository asks for filters that were not run ({shown}): {files} in the workspace as "
        "git stores them. A filter runs where your own git configuration defines it"
    ]


async def _may_be_asked_for(git: Git, user: UserGitConfig) -> bool:
    """Return whether any attributes are there; an index as git writes it has names in whole."""
    assert git.index
    if any(line.startswith("core.attributesfile=") for line in user.settings):
        return True
    if (git.git_dir / "info" / "attributes").exists():
        return True
    return b".gitattributes" in await asyncio.to_thread(git.index.read_bytes)
