"""Differences between two states of a workspace, as git's plumbing reports them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from engine.domain.model import ChangeCount
from engine.workspaces.git.folder_trees import SUBMODULE
from engine.workspaces.git.gitlinks import repository_path


class ChangeKind(StrEnum):
    """The kind of change of a file."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    MODE = "mode"


@dataclass(frozen=True, slots=True)
class FileDelta:
    """One changed file; paths relative to the workspace, as `os.fsdecode` returns them.

    `mode` is git's mode of the file as it is now, 0 where it is gone; binary files count no
    lines. A submodule, or another nested repository, is at `commit`, and was at `old_commit`.
    """

    path: str
    kind: ChangeKind
    insertions: int = 0
    deletions: int = 0
    old_path: str | None = None
    binary: bool = False
    is_link: bool = False
    old_mode: int = 0
    mode: int = 0
    old_commit: str | None = None
    commit: str | None = None
    content: str = field(default="", compare=False)
    """The git object of the file as it is now; zeros where it is gone."""

    @property
    def fingerprint(self) -> str:
        """A short text that is another one as soon as the file is."""
        return f"{self.mode:o}-{self.content[:20]}"

    @property
    def is_submodule(self) -> bool:
        """Return whether it is the commit of a submodule or of another nested repository."""
        return SUBMODULE in (self.old_mode, self.mode)


@dataclass(frozen=True, slots=True)
class Changes:
    """All changed files by path, what they come to, and what could not be taken in."""

    files: tuple[FileDelta, ...] = ()
    left_out: tuple[str, ...] = ()
    checkpoint: int | None = None
    """Number of the checkpoint that is shown instead, while the node of the workspace is away."""

    @property
    def total(self) -> ChangeCount:
        """The sum over all files."""
        return ChangeCount(
            len(self.files),
            sum(file.insertions for file in self.files),
            sum(file.deletions for file in self.files),
        )


@dataclass(frozen=True, slots=True)
class FileSides:
    """One path's two sides, (git mode, object id) each, None where there is nothing."""

    path: bytes
    old: tuple[int, str] | None
    new: tuple[int, str] | None


def is_submodule(pair: FileSides) -> bool:
    """Return whether a submodule's commit is on either side."""
    return any(side and side[0] == SUBMODULE for side in (pair.old, pair.new))


def file_sides(pair: FileSides) -> tuple[tuple[int, str] | None, tuple[int, str] | None]:
    """Return both sides of a change without the commits of submodules."""
    old, new = (None if side and side[0] == SUBMODULE else side for side in (pair.old, pair.new))
    return old, new


DIFF = ("diff-tree", "-r", "-z", "--no-ext-diff", "--no-textconv", "--no-color")


def parse_pairs(out: bytes) -> list[FileSides]:
    """Read `diff-tree -r -z --raw --no-renames`.

    The commit of a nested repository stands at the path of the repository.
    """
    parts = out.split(b"\0")
    pairs: list[FileSides] = []
    links: list[FileSides] = []
    for head, path in zip(parts[::2], parts[1::2], strict=False):
        old_mode, new_mode, old, new, _ = head.lstrip(b":").decode("ascii").split()
        pair = FileSides(path, _side(old_mode, old), _side(new_mode, new))
        is_link = is_submodule(pair) and repository_path(path) != path
        (links if is_link else pairs).append(pair)
    return _with_links(pairs, links) if links else pairs


def _with_links(pairs: list[FileSides], links: list[FileSides]) -> list[FileSides]:
    """Add the commits of repositories, also where there was a file at the path before."""
    found = {pair.path: pair for pair in pairs}
    for link in links:
        path = repository_path(link.path)
        file = found.get(path, FileSides(path, None, None))
        found[path] = FileSides(path, file.old or link.old, file.new or link.new)
    return [found[path] for path in sorted(found)]


def _side(mode: str, oid: str) -> tuple[int, str] | None:
    number = int(mode, 8)
    return (number, oid) if number else None


def parse_changes(out: bytes) -> tuple[FileDelta, ...]:
    """Read `diff-tree -r -z -M --raw --numstat`: all heads first, then all counts."""
    parts = iter(out.split(b"\0"))
    heads: dict[bytes, FileDelta] = {}
    for part in parts:
        if part.startswith(b":"):
            path, head = _head(part, parts)
            heads[path] = head
        elif part:
            _count(part, parts, heads)
    return tuple(heads[path] for path in sorted(heads))


def _head(part: bytes, rest: Iterator[bytes]) -> tuple[bytes, FileDelta]:
    old_mode, new_mode, old, new, status = part[1:].decode("ascii").split()
    path = next(rest)
    before = path if status[0] in "RC" else None
    if before is not None:
        path = next(rest)
    modes = int(old_mode, 8), int(new_mode, 8)
    kind = {
        "A": ChangeKind.ADDED,
        "C": ChangeKind.ADDED,
        "D": ChangeKind.DELETED,
        "R": ChangeKind.RENAMED,
    }.get(status[0])
    if kind is None:
        kind = (
            ChangeKind.MODE
            if old == new and stat.S_IFMT(modes[0]) == stat.S_IFMT(modes[1])
            else None
        )
    shown = repository_path if SUBMODULE in modes else bytes
    return path, FileDelta(
        path=os.fsdecode(shown(path)),
        kind=kind or ChangeKind.MODIFIED,
        old_path=os.fsdecode(shown(before)) if before is not None else None,
        is_link=stat.S_ISLNK(modes[1] or modes[0]),
        old_mode=modes[0],
        mode=modes[1],
        old_commit=old if modes[0] == SUBMODULE else None,
        commit=new if modes[1] == SUBMODULE else None,
        content=new,
    )


def _count(part: bytes, rest: Iterator[bytes], heads: dict[bytes, FileDelta]) -> None:
    insertions, deletions, path = part.split(b"\t", 2)
    if not path:
        next(rest)
        path = next(rest)
    head = heads[path]
    binary = insertions == b"-"
    heads[path] = replace(
        head,
        insertions=0 if binary else head.insertions + int(insertions),
        deletions=0 if binary else head.deletions + int(deletions),
        binary=binary,
    )
