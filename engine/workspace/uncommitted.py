"""The user's work that is in no commit: found without touching anything, and brought along."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.domain.text import printable_name
from engine.workspace.below import Below
from engine.workspace.copying import Allowance, copy_file, is_full
from engine.workspace.repository import Repository, private_git


async def uncommitted(repository: Repository, settings: Sequence[str], scratch: Path) -> set[bytes]:
    """List files of the working tree that differ from HEAD or are new, ignored ones left out.

    The repository's index is copied and read, never touched; submodules do not count.
    """
    assert repository.top
    index = repository.git_dir / "index"
    with private_git(scratch, repository, repository.top, index, settings) as private:
        copied = private.git_dir / "index"
        await asyncio.to_thread(_copy_index, repository.git_dir, private.git_dir)
        (private.git_dir / "HEAD").write_text(f"{repository.head}\n")
        git = replace(private, index=copied, watched=True)
        out = await git.run(
            *("status", "-z", "--porcelain", "--no-renames"),
            *("--untracked-files=all", "--ignore-submodules=all"),
        )
    found = {line[3:] for line in out.split(b"\0")}  # two letters, a space, the path
    return {path for path in found if path and not path.endswith(b"/")}


def _copy_index(source: Path, target: Path) -> None:
    for path in (source / "index", *source.glob("sharedindex.*")):
        if path.is_file():
            shutil.copyfile(path, target / path.name)


def bring(
    source: Path, target: Path, paths: set[bytes], allowance: Allowance | None = None
) -> list[str]:
    """Make these files in `target` what they are in `source`; gives those that could not be.

    Raises `UserError` WORKSPACE_TOO_LARGE where the `allowance` does not reach.
    """
    lost: list[str] = []
    with Below(source) as there, Below(target) as here:
        for path in sorted(paths):
            try:
                _make_same(there, here, path, allowance)
            except OSError as error:
                if is_full(error):
                    raise
                lost.append(printable_name(os.fsdecode(path)))
    return lost


def _make_same(there: Below, here: Below, path: bytes, allowance: Allowance | None) -> None:
    info = there.stat(path)
    old = here.stat(path)
    if old and not stat.S_ISDIR(old.st_mode):
        name, folder = here.place(path)
        os.unlink(name, dir_fd=folder)
        here.prune(path)
    if info is None or stat.S_ISDIR(info.st_mode):
        return
    name, folder = here.place(path, make=True)
    if stat.S_ISLNK(info.st_mode):
        os.symlink(there.link_target(path), name, dir_fd=folder)
    else:
        copy_file(there.open(path), name, folder, info, allowance)
