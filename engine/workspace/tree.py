"""One folder of a workspace at a time, without ever leaving it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name

MAX_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file or folder; `path` is relative to the workspace, `name` is safe to show."""

    path: str
    name: str
    is_folder: bool
    is_link: bool
    size_bytes: int


def list_folder(root: Path, path: str = "") -> list[TreeEntry]:
    """List a folder below `root`, folders first, by name; raises `UserError` WORKSPACE_MISSING.

    Each part of `path` is opened relative to the one before and never through a link, so that
    nothing the agent swaps in between leads out of the workspace.
    """
    try:
        handle = _open_below(root, path)
    except (OSError, ValueError) as error:
        raise user_error(
            "WORKSPACE_MISSING", f"{printable_name(path) or 'The workspace'} cannot be listed."
        ) from error
    try:
        with os.scandir(handle) as found:
            entries = [_entry(path, entry) for entry in islice(found, MAX_ENTRIES)]
    finally:
        os.close(handle)
    return sorted(entries, key=_order)


def _order(entry: TreeEntry) -> tuple[bool, str, str]:
    return not entry.is_folder, entry.name.casefold(), entry.name


def _open_below(root: Path, path: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(root, flags)
    for part in path.split("/") if path else ():
        if part in ("", ".", ".."):
            os.close(handle)
            raise NotADirectoryError(part)
        try:
            inner = os.open(part, flags, dir_fd=handle)
        finally:
            os.close(handle)
        handle = inner
    return handle


def _entry(folder: str, entry: os.DirEntry[str]) -> TreeEntry:
    path = f"{folder}/{entry.name}" if folder else entry.name
    try:
        info = entry.stat(follow_symlinks=False)
    except OSError:
        return TreeEntry(path, printable_name(entry.name), False, False, 0)
    return TreeEntry(
        path=path,
        name=printable_name(entry.name),
        is_folder=stat.S_ISDIR(info.st_mode),
        is_link=stat.S_ISLNK(info.st_mode),
        size_bytes=info.st_size,
    )
