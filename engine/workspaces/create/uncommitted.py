"""The user's work that is in no commit: found without touching anything, and brought along."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

from engine.domain.text import printable_name
from engine.workspaces.files.copying import CopyAllowance, copy_file, is_full
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.git import Git, GitResult, failure
from engine.workspaces.git.index import IndexEntry, copy_index, index_entries, show_hidden
from engine.workspaces.git.repository import Repository, private_git
from engine.workspaces.git.user_git_config import UserGitConfig


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """The paths of a working tree with content that is in no commit."""

    files: frozenset[bytes] = frozenset()
    """Files that differ from HEAD or are new, without ignored ones."""
    nested: tuple[bytes, ...] = ()
    """Folders with a repository of their own that are not submodules."""
    ignored: tuple[bytes, ...] = ()
    """Ignored files, and folders with a `/`, which are not looked into."""


async def uncommitted(repository: Repository, user: UserGitConfig, scratch: Path) -> Uncommitted:
    """List what of the working tree differs from HEAD, is new, or is ignored.

    Files that the index hides count, too. The repository's index is copied and read, never touched;
    submodules do not count.
    """
    assert repository.top
    index = repository.git_dir / "index"
    settings = (*user.settings, *user.sparse)
    with private_git(scratch, repository, repository.top, index, settings) as private:
        copied = await asyncio.to_thread(copy_index, repository.git_dir, private.git_dir)
        (private.git_dir / "HEAD").write_text(f"{repository.head}\n")
        git = replace(private, index=copied, watched=True)
        entries = await index_entries(git) if copied.exists() else {}
        await show_hidden(git, await asyncio.to_thread(_hidden, repository.top, entries))
        answer = await _status(user.converting(replace(git, settings=()), "clean", user.sparse))
        if answer.code:  # a filter fails: without it, files that need it count as changed
            answer = await _status(replace(git, settings=settings))
    if answer.code:
        raise failure("status", answer)
    lines = {line for line in answer.out.split(b"\0") if line}  # two letters, a space, the path
    ignored = {line[3:] for line in lines if line.startswith(b"!!")}
    found = {line[3:] for line in lines if not line.startswith(b"!!")}
    nested = {path for path in found if path.endswith(b"/")}
    return Uncommitted(frozenset(found - nested), tuple(sorted(nested)), tuple(sorted(ignored)))


async def _status(git: Git) -> GitResult:
    return await git.ask(
        *("status", "-z", "--porcelain", "--no-renames"),
        *("--untracked-files=all", "--ignored=matching", "--ignore-submodules=all"),
    )


def _hidden(top: Path, entries: dict[bytes, IndexEntry]) -> dict[bytes, IndexEntry]:
    """Return the entries that git does not look at although something lies there."""
    hidden = {path: entry for path, entry in entries.items() if entry.is_hidden}
    with RootedDir(top) as below:
        return {
            path: entry
            for path, entry in sorted(hidden.items())
            if entry.is_assumed or below.stat(path)
        }


def bring(
    source: Path, target: Path, paths: AbstractSet[bytes], allowance: CopyAllowance | None = None
) -> list[str]:
    """Make these files in `target` equal to those in `source`; return those that failed.

    Raises `UserError` WORKSPACE_TOO_LARGE where the `allowance` is exceeded.
    """
    lost: list[str] = []
    with RootedDir(source) as there, RootedDir(target) as here:
        for path in sorted(paths):
            try:
                _make_same(there, here, path, allowance)
            except OSError as error:
                if is_full(error):
                    raise
                lost.append(printable_name(os.fsdecode(path)))
    return lost


def _make_same(
    there: RootedDir, here: RootedDir, path: bytes, allowance: CopyAllowance | None
) -> None:
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
