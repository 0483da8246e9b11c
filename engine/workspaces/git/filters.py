"""Filters that a repository asks for: those that do not run, and pointers of Git LFS."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from engine.domain.text import printable_name
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.git import Git
from engine.workspaces.git.user_git_config import UserGitConfig

SHOWN = 5
POINTER_BYTES = 1024
"""A pointer of Git LFS is smaller."""
POINTER = b"version https://git-lfs.github.com/spec/"
POINTERS_STAY = {"GIT_LFS_SKIP_DOWNLOAD_ERRORS": "1"}
"""Variables with which a file of Git LFS whose content is not on this disk stays a pointer."""


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """The notices about files that were checked out, and the number of pointers of Git LFS."""

    notices: tuple[str, ...] = ()
    pointers: int = 0


async def filters(git: Git, user: UserGitConfig) -> CheckedOut:
    """Return what is to be known of the files in the index of `git`."""
    if not await _may_be_asked_for(git, user):
        return CheckedOut()
    names = await git.run("ls-files", "-z")
    out = (await git.run("check-attr", "-z", "--stdin", "filter", stdin=names)).split(b"\0")
    asked = list(zip(out[::3], out[2::3], strict=False))
    pointers = await asyncio.to_thread(
        _pointers, git, [path for path, one in asked if one == b"lfs"]
    )
    return CheckedOut(_not_run(Counter(one for _, one in asked), user), pointers)


def _not_run(values: Counter[bytes], user: UserGitConfig) -> tuple[str, ...]:
    missing = sorted(
        (name, count)
        for name, count in values.items()
        if name not in (b"unspecified", b"unset", b"set")
        and user.filters.missing(os.fsdecode(name))
    )
    if not missing:
        return ()
    shown = ", ".join(printable_name(os.fsdecode(name)) for name, _ in missing[:SHOWN])
    count = sum(count for _, count in missing)
    files = "1 file is" if count == 1 else f"{count} files are"
    return (
        f"the repository asks for filters that were not run ({shown}): {files} in the workspace as "
        "git stores them. A filter runs where your own git configuration defines it",
    )


def _pointers(git: Git, paths: Iterable[bytes]) -> int:
    """Count the files that are only pointers."""
    assert git.files
    found = 0
    with RootedDir(git.files) as below:
        for path in paths:
            info = below.stat(path)
            if info is None or info.st_size > POINTER_BYTES:
                continue
            try:
                with os.fdopen(below.open(path), "rb") as file:
                    found += file.read(len(POINTER)) == POINTER
            except OSError:  # a link, for instance
                continue
    return found


async def _may_be_asked_for(git: Git, user: UserGitConfig) -> bool:
    """Return whether any attributes are there; an index as git writes it has names in whole."""
    assert git.index
    if any(line.startswith("core.attributesfile=") for line in user.settings):
        return True
    if (git.git_dir / "info" / "attributes").exists():
        return True
    return b".gitattributes" in await asyncio.to_thread(git.index.read_bytes)
