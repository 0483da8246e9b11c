"""Files that git opens by itself in a folder: their types and sizes, checked without opening them.

git opens them by name: a pipe there makes it wait without end, a sparse file takes its size in
memory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name, size
from engine.workspaces.files.rooted_dir import RootedDir, is_gits

SETTINGS_BYTES = 16 * 1024**2
"""The largest settings, refs and patterns that git is to read."""
ENTRIES = 1_000_000
"""Entries of a work tree that are looked at, before it is taken for too large to be checked."""

_READ_IN_FOLDERS = frozenset({b".gitignore", b".gitattributes", b".gitmodules", b".mailmap"})
_READ_IN_GIT_DIR = frozenset(
    {b"HEAD", b"config", b"config.worktree", b"commondir", b"gitdir", b"shallow", b"refs", b"info"}
)
"""Files that git reads as a whole in a git directory; all others it maps or streams."""


def check_work_tree(root: Path) -> None:
    """Raise `UserError` WORKSPACE_UNSAFE for the first file that git could not get past. Blocking.

    Files that vanish meanwhile count as not there.
    """
    with RootedDir(root) as below:
        for path, info in _read_by_git(below):
            check_file(root / os.fsdecode(path), info, is_read_whole=_is_read_whole(path))


def check_file(path: Path, info: os.stat_result, *, is_read_whole: bool) -> None:
    """Raise `UserError` WORKSPACE_UNSAFE unless git may open this file.

    Sockets pass: nothing can open them.
    """
    if any(kind(info.st_mode) for kind in (stat.S_ISFIFO, stat.S_ISCHR, stat.S_ISBLK)):
        raise unreadable(path, "is not a regular file")
    if is_read_whole and stat.S_ISREG(info.st_mode) and info.st_size > SETTINGS_BYTES:
        raise unreadable(path, f"has {size(info.st_size)}")


def unreadable(path: Path, why: str) -> Exception:
    """Return the error for a file that git is not to read."""
    return user_error(
        "WORKSPACE_UNSAFE",
        f"{printable_name(str(path))} {why}: git would read it without end.",
        "Remove that file, then try again.",
    )


def _read_by_git(below: RootedDir) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield the files below a folder that git opens by itself.

    The folder's own `.git` is left out: git gets the path of its git directory.
    """
    waiting, left = [(b"", False)], ENTRIES
    while waiting and left > 0:
        folder, in_git = waiting.pop()
        for name, is_folder in _entries(below, folder):
            left -= 1
            if not folder and name == b".git":
                continue
            path = folder + b"/" + name if folder else name
            is_git = in_git or is_gits(name)
            if is_folder:
                if not in_git or name not in (b"objects", b"hooks"):
                    waiting.append((path, is_git))
            elif (is_git or name.lower() in _READ_IN_FOLDERS) and (info := below.stat(path)):
                yield path, info


def _entries(below: RootedDir, folder: bytes) -> list[tuple[bytes, bool]]:
    try:
        with os.scandir(below.folder(folder)) as entries:
            return [(os.fsencode(one.name), one.is_dir(follow_symlinks=False)) for one in entries]
    except OSError:  # gone, unreadable, or on another file system: git does not get there either
        return []


def _is_read_whole(path: bytes) -> bool:
    *above, name = path.split(b"/")
    if name.lower() in _READ_IN_FOLDERS or is_gits(name):
        return True
    inside = next((at for at, part in enumerate(above) if is_gits(part)), None)
    return inside is not None and path.split(b"/")[inside + 1] in _READ_IN_GIT_DIR
