"""The folders in which workspaces are created: the home's own, and those of `workspace.root`.

A root is noted in the home before the first workspace is created there, and stays noted: a changed
setting hides no workspace. Below a root lies `<project>/<run>`. A folder that the user chose may
hold other files: there only what carries the id of a known run is ours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from zlib import crc32

from engine.config.paths import Paths, private_folder
from engine.system.durable import sync_path
from engine.system.files import read_regular, real_path

NOTED = "workspace-roots"
"""The folder of the home that holds one file for each chosen root."""
_seen: set[Path] = set()
"""Roots that this process has met, of any home."""


def chosen(home: Path) -> list[Path]:
    """Return the roots outside the home that were ever used. Blocking."""
    files = sorted((home / NOTED).glob("*.json"))
    return [root for path in files if (root := _read(path))]


def known(home: Path) -> list[Path]:
    """Return all roots, the home's own first. Blocking."""
    roots = [home / "workspaces", *chosen(home)]
    _seen.update(roots)
    return roots


def add(home: Path, root: Path) -> None:
    """Note a root, on the disk before this returns. Blocking; raises OSError."""
    import hashlib  # late: only a new root has its name made
    import json

    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:24]
    path = home / NOTED / f"{digest}.json"
    if _read(path) == root:
        return
    private_folder(path.parent)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps(str(root)), "ascii")
    sync_path(fresh)
    fresh.replace(path)
    sync_path(path.parent)


def is_in_any(path: Path, workspaces: Path) -> bool:
    """Return whether an agent can have made what lies at a path: in `workspaces` or a known root.

    Blocking; links are resolved.
    """
    real = real_path(path)
    return any(real.is_relative_to(real_path(root)) for root in (workspaces, *_seen))


def holds(home: Path, path: Path) -> bool:
    """Return whether a path, links resolved, lies in one of the roots. Blocking."""
    real = real_path(path)
    return any(real.is_relative_to(real_path(root)) for root in known(home))


def holding(home: Path, workspace: Path) -> Path | None:
    """Return the root that a workspace lies in, as `<project>/<run>` without links. Blocking."""
    if workspace.name in ("", ".", ".."):
        return None
    project = workspace.parent
    above = real_path(project).parent
    for root in known(home):
        if above == real_path(root) and not (root / project.name).is_symlink():
            return root
    return None


def trash(paths: Paths, root: Path) -> Path:
    """Return the trash of a root: on its file system, so that nothing has to be copied.

    A chosen root may serve several homes: each has a trash of its own there.
    """
    if root == paths.workspaces:
        return paths.trash
    return root / f".trash-{crc32(os.fsencode(paths.home)):08x}"


def trashes(paths: Paths) -> Sequence[Path]:
    """Return the trash of each root, the home's own first. Blocking."""
    return [trash(paths, root) for root in known(paths.home)]


def _read(path: Path) -> Path | None:
    import json  # late: most homes have no other root

    try:
        found = cast("object", json.loads(read_regular(path)))
    except (OSError, ValueError):  # another process writes it, or it is damaged
        return None
    is_path = isinstance(found, str) and found.startswith("/") and "\0" not in found
    return Path(str(found)) if is_path else None
