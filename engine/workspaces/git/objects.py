"""Git objects read, merged and carried from one store to another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from engine.workspaces.git.file_record import IN_MEMORY_BYTES, LARGEST_BYTES
from engine.workspaces.git.folder_trees import FOLDER, SUBMODULE, above
from engine.workspaces.git.git import Git
from engine.workspaces.git.git_errors import object_missing

Entry = tuple[int, str]
"""A file in a tree: git's mode and the object id."""


_MERGE_FAILED = 128
"""The exit codes of `git merge-file` from here on are errors; lower ones count conflicts."""


async def blobs(git: Git, oids: Iterable[str]) -> dict[str, bytes]:
    """Read these files' contents; raises `UserError` where one is missing."""
    wanted = sorted(set(oids))
    if not wanted:
        return {}
    request = "".join(f"{oid}\n" for oid in wanted).encode()
    out = await git.run("cat-file", "--batch", stdin=request, limit_bytes=4 * LARGEST_BYTES)
    found: dict[str, bytes] = {}
    at = 0
    for oid in wanted:
        end = out.index(b"\n", at)
        _, kind, *size = out[at:end].split()
        if kind == b"missing":
            raise object_missing(oid)
        start, at = end + 1, end + 2 + int(size[0])
        found[oid] = out[start : at - 1]
    return found


async def sizes(git: Git, oids: Iterable[str]) -> dict[str, int]:
    """Return the sizes of these files; raises `UserError` where one is missing."""
    wanted = sorted(set(oids))
    if not wanted:
        return {}
    request = "".join(f"{oid}\n" for oid in wanted).encode()
    out = await git.run("cat-file", "--buffer", "--batch-check", stdin=request)
    found: dict[str, int] = {}
    for line in out.decode("ascii").splitlines():
        oid, kind, *size = line.split()
        if kind == "missing":
            raise object_missing(oid)
        found[oid] = int(size[0])
    return found


async def tree(
    git: Git, treeish: str, paths: Iterable[bytes] = (), *, with_folders: bool = False
) -> dict[bytes, Entry]:
    """List a tree's files by path, or those of `paths` (files or what lies below them)."""
    how = ("-r", "-t") if with_folders else ("-r",)
    out = await git.run("ls-tree", *how, "-z", "--full-tree", treeish, "--", *paths)
    found: dict[bytes, Entry] = {}
    for line in out.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            mode, _, oid = head.decode("ascii").split()
            found[path] = (int(mode, 8), oid)
    return found


async def without_links(git: Git, treeish: str) -> str:
    """Build a checkpoint's tree without the commits of nested repositories in it."""
    entries = await tree(git, treeish, with_folders=True)
    links = {path for path, (mode, _) in entries.items() if mode == SUBMODULE}
    for folder in sorted(above(links), key=len, reverse=True) if links else ():
        start = folder + b"/" if folder else b""
        kept = [path for path in entries if path.startswith(start) and path not in links]
        inside = [path for path in kept if b"/" not in path[len(start) :]]
        lines = [_tree_line(entries[path], path[len(start) :]) for path in inside]
        made = (await git.run("mktree", "-z", stdin=b"".join(lines))).decode("ascii").strip()
        if not folder:
            return made
        entries[folder] = FOLDER, made
        if not inside:
            del entries[folder]
    return treeish


def _tree_line(entry: Entry, name: bytes) -> bytes:
    kind = b"tree" if entry[0] == FOLDER else b"blob"
    return b"%06o %s %s\t%s\0" % (entry[0], kind, entry[1].encode(), name)


async def changed_tree(git: Git, base: str, files: Mapping[bytes, Entry | None]) -> str:
    """Build the tree of `base` with these files changed (None: without them)."""
    nothing = "0" * len(base)
    gone = [b"0 %s\t%s\0" % (nothing.encode(), path) for path, new in files.items() if not new]
    come = [b"%o %s\t%s\0" % (new[0], new[1].encode(), path) for path, new in files.items() if new]
    with tempfile.TemporaryDirectory(prefix="building-", dir=git.git_dir) as folder:
        building = replace(git, index=Path(folder) / "index")
        await building.run("read-tree", base)
        if gone or come:
            await building.run("update-index", "-z", "--index-info", stdin=b"".join(gone + come))
        tree = await building.run("write-tree")
    return tree.decode("ascii").strip()


async def store(git: Git, data: bytes, path: bytes | None = None) -> str:
    """Store a file's content and return its id; with `path` line ends become the repository's."""
    how = ("--path", path) if path is not None else ("--no-filters",)
    out = await git.run("hash-object", "-w", "--stdin", *how, stdin=data or _nothing())
    return out.decode("ascii").strip()


def _nothing() -> int:
    return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)


async def merged(
    git: Git, base: bytes, ours: bytes, theirs: bytes, *, ours_wins: bool = False
) -> bytes | None:
    """Merge two versions of a text line by line; None where they conflict or are not text.

    With `ours_wins` nothing conflicts: where both changed the same lines, ours stay.
    """
    how = ("--ours",) if ours_wins else ()
    with tempfile.TemporaryDirectory(dir=git.git_dir) as folder:
        names = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for name, data in zip(names, (ours, base, theirs), strict=True):
            name.write_bytes(data)
        answer = await git.ask("merge-file", "-p", "-q", *how, *(str(name) for name in names))
    return answer.out if answer.code == 0 else None


async def with_markers(
    git: Git, base: bytes, ours: bytes, theirs: bytes, labels: tuple[str, str, str]
) -> bytes | None:
    """Merge two versions of a text, with markers around what conflicts; None: it is not text.

    The labels name ours, the base and theirs.
    """
    named = [word for label in labels for word in ("-L", label)]
    with tempfile.TemporaryDirectory(dir=git.git_dir) as folder:
        names = [Path(folder) / name for name in ("ours", "base", "theirs")]
        for name, data in zip(names, (ours, base, theirs), strict=True):
            name.write_bytes(data)
        words = ("merge-file", "-p", "-q", "--diff3", *named)
        answer = await git.ask(*words, *(str(name) for name in names))
    return answer.out if answer.code < _MERGE_FAILED else None


async def copy_objects(source: Git, target: Git, oids: Iterable[str]) -> None:
    """Copy objects into another repository's store."""
    wanted = sorted(set(oids))
    if not wanted:
        return
    request = "".join(f"{oid}\n" for oid in wanted).encode()
    how = ("pack-objects", "--stdout", "-q", "--delta-base-offset")
    with tempfile.TemporaryFile(dir=source.git_dir) as file:
        await source.run(*how, stdin=request, stdout=file.fileno())
        is_large = os.fstat(file.fileno()).st_size > IN_MEMORY_BYTES
        file.seek(0)
        # A large pack stays one: to unpack it, git would take each file into memory.
        how = ("index-pack", "--stdin") if is_large else ("unpack-objects", "-q")
        await target.run(*how, stdin=os.dup(file.fileno()))
