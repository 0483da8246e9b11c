"""A run's changes brought together with what the source has become: file by file, three ways."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.git import objects
from engine.workspaces.git.file_record import IN_MEMORY_BYTES
from engine.workspaces.git.git import Git
from engine.workspaces.git.objects import Entry

T = TypeVar("T", int, str)
Versions = Mapping[bytes, frozenset[Entry | None]]
"""Entries of each path in several commits."""

CONTROLLED = (
    "lies below a control folder or in a git directory: apply it as a commit or as a patch, and "
    "review it"
)
"""Reason why a file below `.git`, `.swarm` etc., or in a bare repository, is never brought."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A conflict with the run's changes: a file and the reason; no path where it is not a file."""

    path: str
    why: str
    code: str = "APPLY_CONFLICT"
    """The code of the error where nothing else stands against it."""


@dataclass(slots=True)
class JoinResult:
    """The new content of each file that changes (None: it is removed), and the conflicts."""

    files: dict[bytes, Entry | None] = field(default_factory=dict[bytes, Entry | None])
    clashes: list[Conflict] = field(default_factory=list[Conflict])

    def refuse(self, path: bytes, why: str, code: str = "APPLY_CONFLICT") -> None:
        """Note what stands against it."""
        self.clashes.append(Conflict(os.fsdecode(path), why, code))


@dataclass(frozen=True, slots=True)
class BroughtChanges:
    """The run's changes, `pairs`, and the part of them that was applied here before, `earlier`.

    Both begin with the files that the run found.
    """

    pairs: list[FileSides]
    earlier: list[FileSides] = field(default_factory=list[FileSides])
    own: Versions = field(default_factory=dict[bytes, frozenset[Entry | None]])
    """Entries of files in commits of the run itself: it has gone on from there."""

    def all(self) -> list[FileSides]:
        """Return the changes, with those that the run has taken back since they were brought."""
        known = {pair.path for pair in self.pairs}
        back = [
            FileSides(one.path, one.old, one.old) for one in self.earlier if one.path not in known
        ]
        return self.pairs + back


async def join(
    git: Git,
    bringing: BroughtChanges,
    ours: Mapping[bytes, Entry],
    unsaved: Mapping[bytes, tuple[str, ...]],
) -> JoinResult:
    """Bring a run's changes into `ours`, the files as they are there now.

    A file that is as the run found it, or as it was brought here before, becomes what the run left.
    Any other is merged line by line, unless `unsaved` has a reason why it may not be touched.
    """
    joined = JoinResult()
    earlier = {pair.path: pair for pair in bringing.earlier}
    for pair in bringing.all():
        mine, before = ours.get(pair.path), earlier.get(pair.path)
        if mine == pair.new:
            continue
        is_own = mine in bringing.own.get(pair.path, ())
        if is_own or mine == pair.old or (before and mine == before.new):
            joined.files[pair.path] = pair.new
            continue
        if pair.old == pair.new and not before:  # taken back, and not here
            continue
        if before and await _is_here(git, before, mine):
            if before.new == pair.new:
                continue
            pair = FileSides(pair.path, before.new, pair.new)
        await _join_one(git, joined, pair, mine, unsaved)
    return joined


async def _join_one(
    git: Git,
    joined: JoinResult,
    pair: FileSides,
    mine: Entry | None,
    unsaved: Mapping[bytes, tuple[str, ...]],
) -> None:
    if why := _unmergeable(pair, mine) or unsaved.get(pair.path):
        joined.refuse(pair.path, *why)
        return
    assert mine and pair.old and pair.new
    merged = await _merge(git, pair.old, mine, pair.new)
    if merged is None:
        joined.refuse(pair.path, "changed here and in the run")
    elif merged != mine:
        joined.files[pair.path] = merged


async def _is_here(git: Git, before: FileSides, mine: Entry | None) -> bool:
    """Return whether what was brought is still here, but for lines that were changed here since.

    Where bringing it again, with the lines here winning, would change something, it was undone.
    Where the same lines were changed here, it was undone if some of them are as they were before,
    and none as they were brought.
    """
    if not (mine and before.old and before.new):
        return True
    again = await _merge(git, before.old, mine, before.new, ours_wins=True)
    if again != mine:
        return again is None
    return not await _is_of_old(git, before.old, mine, before.new)


async def _is_of_old(git: Git, old: Entry, mine: Entry, new: Entry) -> bool:
    """Return whether a file has lines that only `old` has, and none that only `new` has."""
    sides = (old[1], mine[1], new[1])
    if not all(stat.S_ISREG(side[0]) for side in (old, mine, new)):
        return False
    if max((await objects.sizes(git, sides)).values()) > IN_MEMORY_BYTES:
        return False
    data = await objects.blobs(git, sides)
    before, here, brought = (set(data[oid].split(b"\n")) for oid in sides)
    return bool(here & (before - brought)) and not here & (brought - before)


def _unmergeable(pair: FileSides, mine: Entry | None) -> tuple[str, ...] | None:
    if pair.old is None:
        return ("is already there, with other content",)
    if mine is None:
        return ("was deleted here, and the run changed it",)
    if pair.new is None:
        return ("was changed here, and the run deleted it",)
    return None


async def _merge(
    git: Git, old: Entry, mine: Entry, new: Entry, *, ours_wins: bool = False
) -> Entry | None:
    mode = _pick(old[0], mine[0], new[0])
    if mode is None:
        return None
    oid = _pick(old[1], mine[1], new[1])
    if oid is None:
        if not all(stat.S_ISREG(side[0]) for side in (old, mine, new)):
            return None
        sides = (old[1], mine[1], new[1])
        if max((await objects.sizes(git, sides)).values()) > IN_MEMORY_BYTES:
            return None  # no text that is merged line by line
        data = await objects.blobs(git, sides)
        text = await objects.merged(git, *(data[oid] for oid in sides), ours_wins=ours_wins)
        if text is None:
            return None
        oid = await objects.store(git, text)
    return mode, oid


def _pick(old: T, mine: T, new: T) -> T | None:
    """Return the side that changed; None where both did, differently."""
    if mine in (old, new):
        return new
    return mine if new == old else None


def in_the_way(joined: JoinResult, ours: Mapping[bytes, Entry]) -> None:
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
