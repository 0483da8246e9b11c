"""One folder of a workspace at a time, without ever leaving it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from engine.agents.profiles import SANDBOX_FILES
from engine.domain.text import printable_name
from engine.workspaces.files.open_file import missing
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.files.walk import MAX_FOLDERS, walk

MAX_ENTRIES = 200_000
MAX_FILES = 50_000


class TreeEntry(NamedTuple):
    """A file or folder; `path` is relative to the workspace, `name` is safe to show."""

    path: str
    name: str
    is_folder: bool = False
    is_link: bool = False
    size_bytes: int | None = None
    """Size in bytes; None if not counted: for 100,000 files that takes most of the time."""


@dataclass(frozen=True, slots=True)
class FilePreview:
    """A preview of a path: its mode and size; of a file the first bytes, of a link the target."""

    mode: int
    size_bytes: int
    data: bytes = b""
    checkpoint: int | None = None
    """Number of the checkpoint that it is of, while the node of the workspace is away."""

    @property
    def is_link(self) -> bool:
        """Return whether `data` is where a link points to."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_file(self) -> bool:
        """Return whether `data` is what stands in a file."""
        return stat.S_ISREG(self.mode)


def list_folder(root: Path, path: str = "", *, sizes: bool = True) -> list[TreeEntry]:
    """List a folder below `root`, folders first, by name; raises `UserError` WORKSPACE_MISSING.

    Each part of `path` is opened relative to the one before and never through a link, so that
    nothing the agent swaps in between leads outside the workspace. Temporary mounts of an
    agent's sandbox are left out.
    """
    try:
        with RootedDir(root) as below, os.scandir(below.folder(os.fsencode(path))) as found:
            entries = [
                _entry(path, entry, sizes=sizes)
                for entry in islice(found, MAX_ENTRIES)
                if path or entry.name not in SANDBOX_FILES or not _is_empty(below, entry)
            ]
    except (OSError, ValueError) as error:
        raise missing(path, "listed") from error
    return sorted(entries, key=_order)


def list_files(root: Path) -> list[TreeEntry]:
    """List the files of the whole workspace, near ones first, up to `MAX_FILES` of them.

    Folders of tools (`.git`, `node_modules`, …) are left out. Raises `UserError`.
    """
    try:
        files = (
            TreeEntry(folder.path_of(name), printable_name(name), is_link=name in folder.links)
            for folder in islice(walk(root), MAX_FOLDERS)
            for name in folder.files
            if folder.path or name not in SANDBOX_FILES
        )
        return list(islice(files, MAX_FILES))
    except (OSError, ValueError) as error:
        raise missing("", "listed") from error


def sizes_of(root: Path, paths: Iterable[str]) -> dict[str, int]:
    """Return the sizes in bytes of those files that are there; raises `UserError`."""
    sizes: dict[str, int] = {}
    try:
        with RootedDir(root) as below:
            for path in paths:
                with suppress(OSError, ValueError):
                    if info := below.stat(os.fsencode(path)):
                        sizes[path] = info.st_size
    except OSError as error:
        raise missing("", "listed") from error
    return sizes


def read_file(root: Path, path: str, limit_bytes: int) -> bytes:
    """Read a file below `root`, at most `limit_bytes` of it; raises `UserError`."""
    try:
        with RootedDir(root) as below, os.fdopen(below.open(os.fsencode(path)), "rb") as file:
            return file.read(limit_bytes)
    except (OSError, ValueError) as error:
        raise missing(path, "read") from error


def preview(root: Path, path: str, limit_bytes: int) -> FilePreview:
    """Return a preview of a path below `root`, never through a link; raises `UserError`."""
    try:
        name = os.fsencode(path)
        with RootedDir(root) as below:
            info = below.stat(name)
            if info is None:
                raise missing(path, "found")
            found = FilePreview(info.st_mode, info.st_size)
            if found.is_link:
                return replace(found, data=below.link_target(name))
            if not found.is_file:
                return found
            with os.fdopen(below.open(name), "rb") as file:
                return replace(found, data=file.read(limit_bytes))
    except (OSError, ValueError) as error:
        raise missing(path, "read") from error


def must_be_there(root: Path, path: str) -> None:
    """Raise `UserError` unless a file or folder of `root` itself lies at `path`."""
    try:
        with RootedDir(root) as below:
            info = below.stat(os.fsencode(path)) if path else below.root.stat()
    except (OSError, ValueError) as error:
        raise missing(path, "opened") from error
    if info is None or not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        raise missing(path, "opened")


def _order(entry: TreeEntry) -> tuple[bool, str, str]:
    return not entry.is_folder, entry.name.casefold(), entry.name


def _entry(folder: str, entry: os.DirEntry[str], *, sizes: bool) -> TreeEntry:
    size_bytes = None
    if sizes:
        with suppress(OSError):
            size_bytes = entry.stat(follow_symlinks=False).st_size
    return TreeEntry(
        path=f"{folder}/{entry.name}" if folder else entry.name,
        name=printable_name(entry.name),
        is_folder=entry.is_dir(follow_symlinks=False),
        is_link=entry.is_symlink(),
        size_bytes=size_bytes,
    )


def _is_empty(below: RootedDir, entry: os.DirEntry[str]) -> bool:
    try:
        if not entry.is_dir(follow_symlinks=False):
            return not entry.stat(follow_symlinks=False).st_size
        with os.scandir(below.folder(os.fsencode(entry.name))) as inside:
            return next(inside, None) is None
    except OSError:
        return False
