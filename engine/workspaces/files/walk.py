"""A workspace's folders walked as far as it is worth it: not into what tools keep for themselves.

Nothing is followed out of the workspace, and what a walk costs is bounded by who asks for it: it is
read step by step, near folders first.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from engine.agents.profiles import SANDBOX_FILES
from engine.workspaces.files.rooted_dir import RootedDir

LEFT_ALONE = frozenset(
    {
        *(".git", ".hg", ".svn", ".jj"),
        *("node_modules", "bower_components", ".yarn", ".pnpm-store", ".next", ".nuxt", ".turbo"),
        *(".venv", "venv", "site-packages", ".tox", ".nox", "__pycache__"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".cache"),
        *("target", ".gradle", ".terraform", ".idea", ".direnv"),
    }
)
"""Folders of repositories, packages, builds and caches: large, and not work."""

MAX_FOLDERS = 10_000
"""Folders of one workspace that are looked at or watched."""

_TEMPORARY = re.compile(r"\.py[cod]$|\.sw.$|~$|^\.#|^\.DS_Store$|^\.flycheck_|___jb_(tmp|old)___$")


class WalkedFolder(NamedTuple):
    """A folder and what is in it, by name; paths are relative to the workspace."""

    path: str
    folders: list[str]
    files: list[str]
    links: set[str]
    """Names of the files that are symbolic links."""

    def path_of(self, name: str) -> str:
        """Return the path of something in it."""
        return f"{self.path}/{name}" if self.path else name


def is_left_alone(path: str) -> bool:
    """Return whether a path relative to the workspace is a tool's or an editor's, not work."""
    folder, _, name = path.rpartition("/")
    return bool(_TEMPORARY.search(name)) or not LEFT_ALONE.isdisjoint((*folder.split("/"), name))


def is_sandbox(path: str, size_bytes: int) -> bool:
    """Return whether a file is one that an agent's sandbox put there for a moment."""
    return path in SANDBOX_FILES and not size_bytes


def walk(root: Path, start: str = "") -> Iterator[WalkedFolder]:
    """Yield the folder `start` and those below it, near ones first; unreadable ones are skipped.

    Raises OSError where `root` itself is not a folder.
    """
    waiting = deque([start])
    with RootedDir(root) as below:
        while waiting:
            folder = WalkedFolder(waiting.popleft(), [], [], set())
            try:
                with os.scandir(below.folder(os.fsencode(folder.path))) as entries:
                    for entry in entries:
                        is_folder = entry.is_dir(follow_symlinks=False)
                        (folder.folders if is_folder else folder.files).append(entry.name)
                        if entry.is_symlink():
                            folder.links.add(entry.name)
            except (OSError, ValueError):
                continue
            folder.folders[:] = sorted(name for name in folder.folders if name not in LEFT_ALONE)
            waiting += map(folder.path_of, folder.folders)
            yield folder
