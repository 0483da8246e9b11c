"""Control files below a folder: those of control folders, and of git directories of any name.

git runs hooks and programs that the settings of a git directory name, and a bare repository has no
`.git` in its path: it is recognised by its content.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from engine.system.files import real_path
from engine.workspaces.files.rooted_dir import RootedDir, is_control

_POINTER = {b"head", b"commondir"}
_WHOLE = {b"head", b"objects", b"refs"}
_PARTS = (b"HEAD", b"commondir", b"objects", b"refs")


def is_git_directory(folder: Path) -> bool:
    """Return whether a folder has what git takes a git directory for. Blocking."""
    return _is_git({part.lower() for part in _PARTS if os.path.lexists(folder / os.fsdecode(part))})


def git_directory_around(folder: Path) -> Path | None:
    """Return the git directory that a folder is, or lies in; None in a working tree. Blocking."""
    real = real_path(folder)
    for place in (real, *real.parents):
        git = place / ".git"
        if git.is_file() or os.path.lexists(git / "HEAD"):
            return None
        if is_git_directory(place):
            return place
    return None


class ControlFiles:
    """The control files below `root`, as they are on the disk and with the files to be written.

    Paths are bytes, relative to `root`, separated by `/`. Used from one thread.
    """

    def __init__(self, root: Path, coming: Iterable[bytes] = ()) -> None:
        self._root = root
        self._is_inside = git_directory_around(root) is not None
        self._git: dict[bytes, bool] = {}
        self._coming: dict[bytes, set[bytes]] = {}
        for path in coming:
            for folder, name in _steps(path):
                if name.lower() in _WHOLE | _POINTER:
                    self._coming.setdefault(folder.lower(), set()).add(name.lower())

    def among(self, paths: Iterable[bytes]) -> set[bytes]:
        """Return those of the paths that are control files. Blocking."""
        if self._is_inside:
            return set(paths)
        with RootedDir(self._root) as below:
            return {path for path in paths if is_control(path) or self._in_git(below, path)}

    def _in_git(self, below: RootedDir, path: bytes) -> bool:
        return any(self._is_git(below, folder) for folder, _ in _steps(path))

    def _is_git(self, below: RootedDir, folder: bytes) -> bool:
        known = self._git.get(folder)
        if known is None:
            prefix = folder + b"/" if folder else b""
            found = {part.lower() for part in _PARTS if below.stat(prefix + part)}
            known = _is_git(found | self._coming.get(folder.lower(), set()))
            self._git[folder] = known
        return known


def _is_git(names: set[bytes]) -> bool:
    return names >= _WHOLE or names >= _POINTER


def _steps(path: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Return the folders above a path, each with the name of the path's next part."""
    parts = path.split(b"/")
    return [(b"/".join(parts[:count]), name) for count, name in enumerate(parts)]
