"""A run's changes brought together with what the source has become: file by file, three ways."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from engine.workspace import objects
from engine.workspace.changes import Pair
from engine.workspace.git import Git
from engine.workspace.objects import Entry

T = TypeVar("T", int, str)


@dataclass(frozen=True, slots=True)
class Clash:
    """A file that stands against the run's changes, and why; no path where it is no file."""

    path: str
    why: str


@dataclass(slots=True)
class Joined:
    """What each file that changes becomes (None: it goes), and what stands against it."""

    files: dict[bytes, Entry | None] = field(default_factory=dict[bytes, Entry | None])
    clashes: list[Clash] = field(default_factory=list[Clash])

    def refuse(self, path: bytes, why: str) -> None:
        """Note what stands against it."""
        self.clashes.append(Clash(os.fsdecode(path), why))


async def join(
    git: Git, pairs: Sequence[Pair], ours: Mapping[bytes, Entry], unsaved: Mapping[bytes, str]
) -> Joined:
    """Bring the changes `pairs` into `ours`, the files as they are there now.

    A file that is neither as the run found it nor as the run left it is merged line by line, unless
    `unsaved` has a reason why it may not be touched.
    """
    joined = Joined()
    for pair in pairs:
        mine = ours.get(pair.path)
        if mine == pair.new:
            continue
        if mine == pair.old:
            joined.files[pair.path] = pair.new
        elif why := _unmergeable(pair, mine) or unsaved.get(pair.path):
            joined.refuse(pair.path, why)
        else:
            assert mine and pair.old and pair.new
            merged = await _merge(git, pair.old, mine, pair.new)
            if merged is None:
                joined.refuse(pair.path, "changed here and in the run")
            elif merged != mine:
                joined.files[pair.path] = merged
    return joined


def _unmergeable(pair: Pair, mine: Entry | None) -> str | None:
    if pair.old is None:
        return "is already there, with other content"
    if mine is None:
        return "was deleted here, and the run changed it"
    if pair.new is None:
        return "was changed here, and the run deleted it"
    return None


async def _merge(git: Git, old: Entry, mine: Entry, new: Entry) -> Entry | None:
    mode = _pick(old[0], mine[0], new[0])
    if mode is None:
        return None
    oid = _pick(old[1], mine[1], new[1])
    if oid is None:
        if not all(stat.S_ISREG(side[0]) for side in (old, mine, new)):
            return None
        data = await objects.blobs(git, (old[1], mine[1], new[1]))
        text = await objects.merged(git, data[old[1]], data[mine[1]], data[new[1]])
        if text is None:
            return None
        oid = await objects.store(git, text)
    return mode, oid


def _pick(old: T, mine: T, new: T) -> T | None:
    """Give the side that changed; None where both did, differently."""
    if mine in (old, new):
        return new
    return mine if new == old else None


def in_the_way(joined: Joined, ours: Mapping[bytes, Entry]) -> None:
    """Refuse files that would stand where others need a folder, in a tree of `ours`."""
    going = {path for path, entry in joined.files.items() if entry is None}
    coming = [path for path, entry in joined.files.items() if entry and path not in ours]
    staying = ours.keys() - going
    folders = {folder for path in staying for folder in _parents(path)} if coming else set[bytes]()
    for path in coming:
        blocking = next((parent for parent in _parents(path) if parent in staying), None)
        if blocking is not None:
            joined.refuse(blocking, "is in the way")
        elif path in folders:
            joined.refuse(path, "is a folder here")


def _parents(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(1, len(parts))]
