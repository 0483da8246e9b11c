"""Folders that can be made again, such as `node_modules`, which are left out of a run's changes.

Their names are stored with the baseline, so that a later change of the settings has no effect. A
folder that the baseline has counts as any other.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from engine.system.decoding import json_decoder
from engine.workspaces.git import objects
from engine.workspaces.git.folder_trees import FOLDER
from engine.workspaces.git.git import Git

_NAMES, _SHOWN = "swarm-rebuildable.json", "swarm-rebuildable.shown"


def keep_names(git_dir: Path, names: Iterable[str]) -> None:
    """Write down in a store how such folders are called; raises OSError."""
    plain = [name for name in names if "/" not in name and not set(name) & set("*?[")]
    (git_dir / _NAMES).write_bytes(msgspec.json.encode(plain))


def names_of(git_dir: Path) -> frozenset[bytes]:
    """Return how such folders are called; a store of an earlier version knows none."""
    try:
        found = json_decoder(list[str])((git_dir / _NAMES).read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError):
        return frozenset()
    return frozenset(map(os.fsencode, found))


def first_shown(git_dir: Path) -> bool:
    """Return whether such folders were not shown to the user before, and mark them as shown."""
    try:
        (git_dir / _SHOWN).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


async def folders_in(git: Git, tree: str, names: Collection[bytes]) -> frozenset[bytes]:
    """Return the folders of a tree that are called so; raises `UserError`."""
    found = await objects.tree(git, tree, with_folders=True)
    return frozenset(
        path
        for path, (mode, _) in found.items()
        if mode == FOLDER and path.rpartition(b"/")[2] in names
    )


def rebuildable_above(
    path: bytes, names: Collection[bytes], baseline: Collection[bytes]
) -> bytes | None:
    """Return the topmost folder above `path` that is called so and not in the baseline."""
    parts = path.split(b"/")
    for count, name in enumerate(parts[:-1], start=1):
        if name in names and (folder := b"/".join(parts[:count])) not in baseline:
            return folder
    return None
