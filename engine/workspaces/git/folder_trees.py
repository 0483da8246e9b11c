"""The trees of a workspace's folders, made again where something in them has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from engine.workspaces.git.file_record import FileRecord

FOLDER, SUBMODULE = 0o040000, 0o160000
Entry = tuple[int, str]


def trees(
    files: Mapping[bytes, FileRecord],
    changed: Iterable[bytes],
    known: Mapping[bytes, str],
    add: Callable[[bytes], str],
) -> dict[bytes, str]:
    """Return the tree of each folder of these files, by path; the top has an empty path.

    Folders with none of the `changed` files in them keep the trees that are `known`. `add`
    stores one and returns its id.
    """
    stale = above(changed if known else files)
    inside: dict[bytes, dict[bytes, Entry]] = {folder: {} for folder in stale}
    for path, seen in files.items():
        folder, _, name = path.rpartition(b"/")
        if folder in stale:
            inside[folder][name] = seen.mode, seen.oid
    found = {folder: tree for folder, tree in known.items() if folder not in stale}
    for path, tree in found.items():
        folder, _, name = path.rpartition(b"/")
        if folder in stale:
            inside[folder][name] = FOLDER, tree
    for path in sorted(stale, key=_depth, reverse=True):
        if path and not inside[path]:
            continue  # git knows no empty folders
        found[path] = add(_tree(inside[path]))
        if path:
            folder, _, name = path.rpartition(b"/")
            inside[folder][name] = FOLDER, found[path]  # also where there was a file just now
    return found


def above(paths: Iterable[bytes]) -> set[bytes]:
    """Return all folders that these files are in."""
    found = {b""}
    for path in paths:
        folder = path.rpartition(b"/")[0]
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition(b"/")[0]
    return found


def _depth(folder: bytes) -> int:
    return folder.count(b"/") + 1 if folder else 0


def _tree(entries: Mapping[bytes, Entry]) -> bytes:
    """Write a tree as git does, in its order: a folder's name counts with a slash."""
    names = sorted(entries, key=lambda name: name + b"/" if entries[name][0] == FOLDER else name)
    return b"".join(
        b"%o %s\0%s" % (entries[name][0], name, bytes.fromhex(entries[name][1])) for name in names
    )
