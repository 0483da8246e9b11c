"""One folder of a workspace at a time, without ever leaving it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.workspace.below import Below

MAX_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file or folder; `path` is relative to the workspace, `name` is safe to show."""

    path: str
    name: str
    is_folder: bool
    is_link: bool
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Look:
    """What lies at a path, its mode and size; of a file the first bytes, of a link the target."""

    mode: int
    size_bytes: int
    data: bytes = b""

    @property
    def is_link(self) -> bool:
        """Whether `data` is where a link points to."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether `data` is what stands in a file."""
        return stat.S_ISREG(self.mode)


def list_folder(root: Path, path: str = "") -> list[TreeEntry]:
    """List a folder below `root`, folders first, by name; raises `UserError` WORKSPACE_MISSING.

    Each part of `path` is opened relative to the one before and never through a link, so that
    nothing the agent swaps in between leads out of the workspace.
    """
    try:
        with Below(root) as below, os.scandir(below.folder(os.fsencode(path))) as found:
            entries = [_entry(path, entry) for entry in islice(found, MAX_ENTRIES)]
    except (OSError, ValueError) as error:
        raise _missing(path, "listed") from error
    return sorted(entries, key=_order)


def read_file(root: Path, path: str, limit_bytes: int) -> bytes:
    """Read a file below `root`, at most `limit_bytes` of it; raises `UserError`."""
    try:
        with Below(root) as below, os.fdopen(below.open(os.fsencode(path)), "rb") as file:
            return file.read(limit_bytes)
    except (OSError, ValueError) as error:
        raise _missing(path, "read") from error


def look_at(root: Path, path: str, limit_bytes: int) -> Look:
    """Say what lies at a path below `root`, never through a link; raises `UserError`."""
    name = os.fsencode(path)
    try:
        with Below(root) as below:
            info = below.stat(name)
            if info is None:
                raise _missing(path, "found")
            found = Look(info.st_mode, info.st_size)
            if found.is_link:
                return replace(found, data=below.link_target(name))
            if not found.is_file:
                return found
            with os.fdopen(below.open(name), "rb") as file:
                return replace(found, data=file.read(limit_bytes))
    except (OSError, ValueError) as error:
        raise _missing(path, "read") from error


def must_be_there(root: Path, path: str) -> None:
    """Raise `UserError` unless a file or folder of `root` itself lies at `path`."""
    try:
        with Below(root) as below:
            info = below.stat(os.fsencode(path)) if path else below.root.stat()
    except (OSError, ValueError) as error:
        raise _missing(path, "opened") from error
    if info is None or not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        raise _missing(path, "opened")


def _missing(path: str, what: str) -> UserError:
    name = printable_name(path) or "The workspace"
    return user_error("WORKSPACE_MISSING", f"{name} cannot be {what}.")


def _order(entry: TreeEntry) -> tuple[bool, str, str]:
    return not entry.is_folder, entry.name.casefold(), entry.name


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
