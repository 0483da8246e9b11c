"""Changed files as lines of a tree, or as a flat list; folders with one entry are joined."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Union

from engine.engine import FileDelta

MAX_DEPTH = 50
"""Folders inside each other that have lines of their own."""

Folder = dict[str, Union[FileDelta, "Folder"]]


class ChangedLine(NamedTuple):
    """A changed file, or a folder (`file` is None) with the files below it."""

    path: str
    name: str
    depth: int
    file: FileDelta | None
    below: Sequence[FileDelta]


def flat_lines(files: Sequence[FileDelta]) -> list[ChangedLine]:
    """Return one line a file, with its whole path."""
    return [ChangedLine(file.path, file.path, 0, file, (file,)) for file in files]


def tree_lines(files: Sequence[FileDelta], folded: Collection[str]) -> list[ChangedLine]:
    """Return the lines of a tree of files, which are sorted by path, and stay so.

    Below the folders in `folded` there is nothing.
    """
    top: Folder = {}
    for file in files:
        *parts, name = file.path.split("/", MAX_DEPTH)
        at = top
        for part in parts:
            below = at.setdefault(f"{part}/", {})
            at = below if isinstance(below, dict) else at
        at[name] = file
    return list(_lines(top, "", 0, folded))


def _lines(folder: Folder, path: str, depth: int, folded: Collection[str]) -> Iterator[ChangedLine]:
    for entry, inner in folder.items():
        if isinstance(inner, FileDelta):
            yield ChangedLine(inner.path, entry, depth, inner, (inner,))
            continue
        name, here = _joined(entry, inner)
        whole = f"{path}{name}"
        yield ChangedLine(whole, name, depth, None, tuple(_below(here)))
        if whole not in folded:
            yield from _lines(here, whole, depth + 1, folded)


def _joined(name: str, folder: Folder) -> tuple[str, Folder]:
    """Return a folder that has more than one other in it, with its path from `name` on."""
    while len(folder) == 1:
        ((part, inner),) = folder.items()
        if isinstance(inner, FileDelta):
            break
        name, folder = f"{name}{part}", inner
    return name, folder


def _below(folder: Folder) -> Iterator[FileDelta]:
    for inner in folder.values():
        if isinstance(inner, FileDelta):
            yield inner
        else:
            yield from _below(inner)
