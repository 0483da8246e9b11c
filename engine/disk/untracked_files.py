"""Files of a workspace that its checkpoints leave out: ignored files, repositories."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from engine.agents.profiles import SANDBOX_FILES
from engine.workspaces.files.rooted_dir import RootedDir, is_gits
from engine.workspaces.files.walk import LEFT_ALONE, is_left_alone

COMPARED_BYTES = 4 * 1024**2
"""Files up to this size are read to see whether the source has the same."""
MOST = 10_000


@dataclass(slots=True)
class UntrackedFiles:
    """Ignored files that were written since the workspace was made, and git directories by name."""

    ignored: list[bytes] = field(default_factory=list[bytes])
    git_dirs: list[tuple[str, Path]] = field(default_factory=list[tuple[str, Path]])


def leftovers(
    root: Path,
    counted: Collection[bytes],
    since: float,
    source: Path | None,
    worthless: Collection[str],
) -> UntrackedFiles:
    """Look for them; `counted` is what the checkpoints remember, `since` when that began.

    A file that the source has, too, is none; nor is one which `worthless` names, or that lies in a
    folder so called. Never follows a link. Blocking; raises OSError where the folder is gone.
    """
    found = UntrackedFiles()
    with RootedDir(root) as below:
        for path in _files(below, found, _Names(worthless)):
            if path in counted or len(found.ignored) >= MOST:
                continue
            info = below.stat(path)
            if info is None or not stat.S_ISREG(info.st_mode) or not info.st_size:
                continue
            if info.st_ctime >= since and not _is_same(below, path, info, source):
                found.ignored.append(path)
    return found


class _Names:
    def __init__(self, worthless: Collection[str]) -> None:
        self._plain = LEFT_ALONE | {name for name in worthless if not set("*?[") & set(name)}
        self._patterns = [name for name in worthless if name not in self._plain]

    def __contains__(self, name: str) -> bool:
        return name in self._plain or any(fnmatch(name, one) for one in self._patterns)


def _files(below: RootedDir, found: UntrackedFiles, worthless: _Names) -> Iterator[bytes]:
    """Yield all but folders, and record the git directories on the way."""
    waiting = [b""]
    while waiting:
        inside = waiting.pop()
        for name, is_folder in _entries(below, inside):
            path = inside + b"/" + os.fsencode(name) if inside else os.fsencode(name)
            if name == ".git" and is_folder:
                _note_git(below.root, os.fsdecode(inside), found)
            elif name in worthless or is_gits(os.fsencode(name)):
                continue
            elif is_folder:
                waiting.append(path)
            elif path.decode("utf-8", "replace") not in SANDBOX_FILES and not is_left_alone(name):
                yield path


def _entries(below: RootedDir, folder: bytes) -> list[tuple[str, bool]]:
    try:
        with os.scandir(below.folder(folder)) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return []


def _note_git(root: Path, where: str, found: UntrackedFiles) -> None:
    git_dir = root / where / ".git"
    if (git_dir / "HEAD").exists() or (git_dir / "objects").exists():  # a damaged one, too
        found.git_dirs.append((where, git_dir))


def _is_same(below: RootedDir, path: bytes, info: os.stat_result, source: Path | None) -> bool:
    """Return whether the source has the file as it is."""
    if source is None:
        return False
    try:
        with RootedDir(source) as there:
            other = there.stat(path)
            if other is None or other.st_size != info.st_size:
                return False
            if info.st_size > COMPARED_BYTES:
                return other.st_mtime_ns == info.st_mtime_ns
            return _content(there, path, info.st_size) == _content(below, path, info.st_size)
    except OSError:
        return False


def _content(below: RootedDir, path: bytes, size: int) -> bytes:
    with os.fdopen(below.open(path), "rb") as file:
        return file.read(size + 1)
