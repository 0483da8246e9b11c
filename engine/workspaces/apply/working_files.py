"""The files of a working tree that are about to be replaced, compared with what is committed.

Each is read. `git status` would not do: it believes bits in the index that hide files, and times
that can be set back.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from engine.workspaces.apply.line_endings import CHANGED, CONFLICT, Held, LineEndings
from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.file_record import EXECUTABLE, FILE, LINK, git_mode
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.git import Git
from engine.workspaces.git.index import IndexEntry, copy_index, index_entries
from engine.workspaces.git.objects import Entry
from engine.workspaces.git.repository import Repository, private_git
from engine.workspaces.git.user_git_config import UserGitConfig


@dataclass(slots=True)
class WorkingFiles:
    """The files found that may not be replaced, each with a reason and an error code."""

    held: dict[bytes, Held] = field(default_factory=dict[bytes, Held])
    outside: set[bytes] = field(default_factory=set[bytes])
    """The files that are absent because the checkout is sparse."""
    hidden: dict[bytes, IndexEntry] = field(default_factory=dict[bytes, IndexEntry])

    def hold(self, path: bytes, why: str) -> None:
        """Note a file that may not be replaced."""
        self.held[path] = why, CONFLICT


async def index_of(
    repository: Repository, user: UserGitConfig, scratch: Path
) -> dict[bytes, IndexEntry]:
    """Return the index of a repository's working tree, which is not touched."""
    settings = (*user.settings, *user.sparse)
    with private_git(scratch, repository, repository.top, settings=settings) as private:
        copied = copy_index(repository.git_dir, private.git_dir)
        if not copied.exists():
            return {}
        git = Git(private.git_dir, files=repository.top, index=copied, settings=settings)
        return await index_entries(git)


async def working_files(
    repository: Repository,
    user: UserGitConfig,
    scratch: Path,
    line_ends: LineEndings,
    pairs: Iterable[FileSides],
) -> WorkingFiles:
    """Compare the files that `pairs` change, from what is committed, with what is there."""
    assert repository.top
    index = await index_of(repository, user, scratch)
    found = WorkingFiles()
    read: dict[bytes, Entry] = {}
    with RootedDir(repository.top) as below:
        for pair in pairs:
            entry = index.get(pair.path)
            if entry and entry.is_hidden:
                found.hidden[pair.path] = entry
            if why := _staged(pair.old, entry):
                found.hold(pair.path, why)
            elif pair.old and pair.old[0] != SUBMODULE:
                _compare(below, pair.path, pair.old, entry, user, found, read)
    found.held |= await line_ends.unlike(repository.top, read)
    return found


def _staged(committed: Entry | None, entry: IndexEntry | None) -> str | None:
    if entry is None:
        return CHANGED if committed else None
    same = entry.is_merged and (entry.mode, entry.oid) == committed
    return None if same else CHANGED


def _compare(
    below: RootedDir,
    path: bytes,
    committed: Entry,
    entry: IndexEntry | None,
    user: UserGitConfig,
    found: WorkingFiles,
    read: dict[bytes, Entry],
) -> None:
    """Compare kind and mode; what is to be read for its content, too, goes into `read`."""
    info = below.stat(path)
    if info is None:
        if entry and entry.is_skipped:
            found.outside.add(path)
        else:
            found.hold(path, CHANGED)
        return
    mode = git_mode(info.st_mode)
    wanted = committed[0] if user.has_links or committed[0] != LINK else mode
    is_other = user.has_modes and wanted in (EXECUTABLE, FILE) and mode != wanted
    if is_other or not mode or stat.S_IFMT(mode) != stat.S_IFMT(wanted):
        found.hold(path, CHANGED)
    else:
        read[path] = committed
