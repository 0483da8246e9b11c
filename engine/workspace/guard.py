"""Whether git may run in a git directory: it belongs to the user, and nothing in it leads outside.

git follows links below `.git` when it reads and writes refs, reflogs, the index and objects. In an
unpacked archive, or where an agent may write, they would lead our git to other files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.domain.errors import user_error
from engine.domain.text import printable_name

ENTRIES = 200_000
"""Entries of a git directory that are looked at, before it is taken for too large to be checked."""
_HARMLESS = frozenset({"hooks", "description", "COMMIT_EDITMSG", "FETCH_HEAD", "ORIG_HEAD"})
_DEEP = ("refs", "logs", "worktrees", "info")
"""Folders that git writes to at any depth; of `objects` only the first level."""
_MODES = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISSOCK)  # git's fsmonitor keeps a socket there


def check_repository(git_dir: Path, common_dir: Path, top: Path | None) -> None:
    """Raise `UserError` WORKSPACE_UNSAFE unless git may run here. Blocking."""
    for place in {git_dir, common_dir, *([top, top / ".git"] if top else [])}:
        _check_owner(place)
    for place in {git_dir, common_dir}:
        _check_entries(place)


def _check_owner(place: Path) -> None:
    """Check as git does: it belongs to this user, or to the one who called `sudo`."""
    users = {os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdigit():
        users.add(int(os.environ["SUDO_UID"]))
    if place.lstat().st_uid not in users:
        raise _unsafe(place, "belongs to another user")


def _check_entries(git_dir: Path) -> None:
    left = ENTRIES
    for path, mode in _entries(git_dir):
        left -= 1
        if stat.S_ISLNK(mode):
            raise _unsafe(path, "is a link: git would follow it")
        if not any(known(mode) for known in _MODES):
            raise _unsafe(path, "is no regular file")
        if not left:
            raise _unsafe(git_dir, f"holds more than {ENTRIES} entries beside its objects")


def _entries(git_dir: Path) -> Iterator[tuple[Path, int]]:
    waiting = [(git_dir, 1)]
    while waiting:
        folder, depth = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if folder == git_dir and entry.name in _HARMLESS:
                    continue
                mode = entry.stat(follow_symlinks=False).st_mode
                path = folder / entry.name
                yield path, mode
                if stat.S_ISDIR(mode) and depth and (inside := _depth(path, git_dir, depth)):
                    waiting.append((path, inside))


def _depth(path: Path, git_dir: Path, depth: int) -> int:
    """Return how many levels below a folder are still to be looked at."""
    if path.parent != git_dir:
        return depth - 1 if depth < ENTRIES else depth
    if path.name in _DEEP:
        return ENTRIES
    return 1 if path.name == "objects" else 0


def _unsafe(path: Path, why: str) -> Exception:
    return user_error(
        "WORKSPACE_UNSAFE",
        f"git does not run in this repository: {printable_name(str(path))} {why}.",
        "Clone it with git into a folder of your own, or work on a copy with --copy.",
    )
