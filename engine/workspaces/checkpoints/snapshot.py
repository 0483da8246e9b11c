"""A workspace's files as a git tree in the run's own store, at the price of what has changed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from engine.domain.errors import UserError
from engine.system.decoding import msgpack_decoder
from engine.workspaces.checkpoints import owned_objects
from engine.workspaces.checkpoints.scan import FileReader, ScanResult, compare, counts, listing
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git import objects
from engine.workspaces.git.file_record import FileRecord
from engine.workspaces.git.folder_trees import FOLDER, SUBMODULE, above, trees
from engine.workspaces.git.git import NOBODY, Git, identity
from engine.workspaces.git.gitlinks import entry_path, repository_path
from engine.workspaces.git.index import IndexedFiles
from engine.workspaces.git.pack import Pack, object_id
from engine.workspaces.git.repository import object_format_of

NOW = "refs/swarm/now"
_STATE = "swarm-seen"
PACKS = 40
LARGE_PACK_BYTES = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tree, the files in it, and the paths of those that could not be read into it."""

    tree: str
    files: Collection[bytes]
    left_out: tuple[str, ...]
    rebuildable: tuple[str, ...] = ()
    """Folders that are not part of it, because they can be made again."""
    checkpoint: int | None = None
    """Number of the checkpoint that it is instead, while the node of the workspace is away."""


Ignored = Callable[[Collection[bytes]], Awaitable[frozenset[bytes]]]
"""Returns which of these files are ignored for a reason outside the workspace."""
Missing = tuple[str, list[bytes]]
"""The tree of a baseline, and those of its files that are not in another tree."""
Baseline = Callable[[str | None, Missing | None], Awaitable[Missing | None]]
"""Returns the files of the baseline that are not in this tree; None: all of them.

The answer that is known already is returned where the baseline is the same. A new store has none.
"""
Links = Callable[[Collection[bytes]], Awaitable[dict[bytes, str]]]
"""Returns the commits of nested repositories, of those found at these paths and of others."""
Rebuildable = Callable[[Collection[bytes]], Awaitable[dict[bytes, bytes]]]
"""Returns which of these files are in a folder that can be made again, and in which."""


class ScanState(msgspec.Struct, array_like=True):
    """The result of the last scan, so that the next one reads only what has changed."""

    tree: str | None = None
    files: dict[bytes, FileRecord] = msgspec.field(default_factory=dict[bytes, FileRecord])
    folders: dict[bytes, str] = msgspec.field(default_factory=dict[bytes, str])
    """The trees of the folders they are in."""
    links: dict[bytes, str] = msgspec.field(default_factory=dict[bytes, str])
    """The commits of nested repositories; empty where one is only expected."""
    missing: Missing | None = None
    """The files of a baseline that are not in the tree, where that is known."""


async def prime(
    git: Git, source: Path, treeish: str, *, may_link: bool, is_sparse: bool = False
) -> None:
    """Start from a tree of a source that most files are expected to be in.

    `source` is its folder of objects: what is found there need not be stored a second time. Where
    it cannot be read, all files are. `is_sparse`: some of the files are not in the workspace.
    """
    with suppress(UserError):  # a partial clone may lack some
        seeing = owned_objects.seeing(git, source)
        out = await seeing.run("rev-parse", "-q", "--verify", treeish)
        tree = out.decode("ascii").strip()
        found = await objects.tree(seeing, tree, with_folders=True)
        wanted = {tree, *(oid for mode, oid in found.values() if mode != SUBMODULE)}
        here = await owned_objects.own(git, source, wanted, may_link=may_link, loose_too=is_sparse)
        await asyncio.to_thread(_save, git, _expected(tree, found, wanted - here))


def _expected(tree: str, found: dict[bytes, objects.Entry], missing: set[str]) -> ScanState:
    """Return the state of a workspace that was not scanned yet, made from a tree.

    A file whose object is missing is known by name alone, as it may be one that git ignores.
    """
    entries = {b"": (FOLDER, tree), **found}
    links = {path: "" for path, (mode, _) in found.items() if mode == SUBMODULE}
    lost = [path for path, (_, oid) in entries.items() if path and oid in missing]
    lost += map(entry_path, links)
    partial = above(lost) if lost else set[bytes]()
    folders: dict[bytes, str] = {}
    seen: dict[bytes, FileRecord] = {}
    for path, (mode, oid) in entries.items():
        if mode == SUBMODULE:
            continue
        if mode != FOLDER:
            seen[path] = FileRecord(mode, "" if oid in missing else oid, -1, 0, 0, 0)
        elif oid not in missing and path not in partial:
            folders[path] = oid
    return ScanState(folders.get(b""), seen, folders, links)


async def record(
    git: Git,
    root: Path,
    index_files: Callable[[], Awaitable[IndexedFiles]],
    baseline: Baseline,
    ignored: Ignored,
    rebuildable: Rebuildable,
    links: Links,
) -> Snapshot:
    """Store the workspace as it is now; raises `UserError`.

    `index_files` returns the files that git tracks: they count, even where git would ignore
    them, and stay where they are absent because the checkout is sparse. So do those of the
    `baseline`. `ignored` and `rebuildable` are the files that are left out.
    """
    indexed = await index_files()
    state, found, aside = await _scan(
        git, root, indexed.tracked, baseline, ignored, rebuildable, links
    )
    absent = state.files.keys() - found.same.keys() - {*found.unread, *found.left_out}
    if absent:
        kept = {path: state.files[path] for path in absent & indexed.skipped}
        found.same.update({path: seen for path, seen in kept.items() if seen.oid})
    is_same = len(found.same) == len(state.files) and found.links == state.links
    if state.tree and not found.unread and is_same:
        if state.missing != found.missing:
            learned = msgspec.structs.replace(state, missing=found.missing)
            await asyncio.to_thread(_save, git, learned)
        return _snapshot(state.tree, state.files, found.left_out, aside)
    now = await _write(git, root, state, found)
    await _tidy(git)
    assert now.tree
    return _snapshot(now.tree, now.files, found.left_out, aside)


def _snapshot(
    tree: str, files: Collection[bytes], left_out: list[bytes], aside: Collection[bytes]
) -> Snapshot:
    left, made = (tuple(os.fsdecode(path) for path in paths) for paths in (left_out, sorted(aside)))
    return Snapshot(tree, files, left, made)


def count(git: Git, paths: Iterable[bytes]) -> None:
    """Make these files count from the next snapshot on, even where git ignores them. Blocking."""
    state = _load(git)
    unread = FileRecord(0, "", -1, 0, 0, 0)
    names = {path: unread for path in paths if path not in state.files}
    if names:
        _save(git, msgspec.structs.replace(state, files={**state.files, **names}))


async def _tidy(git: Git) -> None:
    """Make one pack of many small ones; large ones stay, and so does what nothing refers to."""
    found = (git.git_dir / "objects" / "pack").glob("*.pack")
    packs = [path for path in found if not path.with_suffix(".keep").exists()]
    if len(packs) > PACKS:
        large = (path.name for path in packs if path.stat().st_size > LARGE_PACK_BYTES)
        kept = (f"--keep-pack={name}" for name in large)
        await git.run("repack", "-a", "-d", "-k", "-l", "-q", *kept)


async def commit(git: Git, tree: str, message: str, parent: str = "") -> str:
    """Make a commit of a tree, without history or on top of one commit, and return its id."""
    text = message.encode("utf-8", "replace")
    signed = Git(git.git_dir, settings=git.settings, env=identity(NOBODY))
    parents = ("-p", parent) if parent else ()
    out = await signed.run("commit-tree", tree, *parents, stdin=text)
    return out.decode("ascii").strip()


async def _scan(
    git: Git,
    root: Path,
    tracked: frozenset[bytes],
    baseline: Baseline,
    ignored: Ignored,
    rebuildable: Rebuildable,
    links: Links,
) -> tuple[ScanState, ScanResult, set[bytes]]:
    """Look at all files: at those we know of while git still looks for others."""
    nested = set[bytes]()
    listed = asyncio.create_task(listing(git, root, nested))
    try:
        await asyncio.sleep(0)  # git starts before the thread below takes the interpreter
        state, found = await asyncio.to_thread(_scan_known, git, root)
        found.missing = await baseline(state.tree, state.missing)
        tracked |= frozenset(found.missing[1] if found.missing else ())
        unknown = await listed - state.files.keys() - tracked
    finally:
        listed.cancel()
    unknown = unknown - await ignored(unknown) | tracked - state.files.keys()
    found.links = await links(nested)
    aside = await rebuildable(unknown | set(map(entry_path, found.links)))
    for path in aside.keys() - unknown:
        del found.links[repository_path(path)]
    unknown = unknown - aside.keys()
    fresh = {path for path in unknown if counts(path)}
    # No git stores a file of such a name; it is reported, so that nothing hides behind it.
    found.left_out += sorted(unknown - fresh)
    if fresh:
        await asyncio.to_thread(compare, root, fresh, {}, found)
    return state, found, set(aside.values())


def _scan_known(git: Git, root: Path) -> tuple[ScanState, ScanResult]:
    state, found = _load(git), ScanResult()
    compare(root, state.files, state.files, found)
    return state, found


class _Kept(NamedTuple):
    """The last state that was read or written, as bytes and decoded: one run is looked at often."""

    data: bytes = b""
    state: ScanState = ScanState()


_last = [_Kept()]
_KEPT_BYTES = 4 * 1024**2
"""Largest state that is kept: of some 40,000 files."""


def _load(git: Git) -> ScanState:
    """Return the state after the last look, which no one may change."""
    try:
        data = (git.git_dir / _STATE).read_bytes()
        kept = _last[0]
        if data != kept.data:
            kept = _Kept(data, msgpack_decoder(ScanState)(data))
            _keep(kept)
        return kept.state
    except (OSError, msgspec.DecodeError, RecursionError):  # only a cache: all is read again
        return ScanState()


def _keep(kept: _Kept) -> None:
    _last[0] = kept if len(kept.data) <= _KEPT_BYTES else _Kept()


def _save(git: Git, state: ScanState, commit: str | None = None) -> None:
    """Remember a look; `commit` keeps what it found from being cleared away."""
    if commit:
        ref = git.git_dir / NOW
        ref.parent.mkdir(parents=True, exist_ok=True)
        part = ref.with_suffix(".part")
        part.write_text(f"{commit}\n")
        part.rename(ref)
    part = git.git_dir / f"{_STATE}.part"
    data = msgspec.msgpack.encode(state)
    part.write_bytes(data)
    part.rename(git.git_dir / _STATE)
    _keep(_Kept(data, state))


async def _write(git: Git, root: Path, state: ScanState, found: ScanResult) -> ScanState:
    """Read what changed and put it into the store; return the new state."""
    loop = asyncio.get_running_loop()
    algorithm = await asyncio.to_thread(object_format_of, git.git_dir)

    def keep_large(handle: int) -> str:
        hashing = git.run("hash-object", "-w", "--stdin", "--no-filters", stdin=handle)
        out = asyncio.run_coroutine_threadsafe(hashing, loop).result()
        return out.decode("ascii").strip()

    now, commit = await asyncio.to_thread(_packed, git, root, state, found, algorithm, keep_large)
    await asyncio.to_thread(_save, git, now, commit)
    return now


def _packed(
    git: Git,
    root: Path,
    state: ScanState,
    found: ScanResult,
    algorithm: str,
    keep_large: Callable[[int], str],
) -> tuple[ScanState, str]:
    with Pack(git.git_dir, algorithm) as pack:
        files = _contents(pack, root, state, found, FileReader(algorithm, keep_large))
        moved = dict(state.links.items() ^ found.links.items())
        changed = {*found.unread, *(state.files.keys() - files.keys()), *map(entry_path, moved)}
        entries = {**files, **_link_entries(found.links)} if found.links else files
        kept = set(state.folders.values())

        def add(tree: bytes) -> str:
            oid = object_id(algorithm, tree, "tree")
            return oid if oid in kept else pack.add("tree", tree)

        folders = trees(entries, changed, state.folders, add)
        commit = pack.add("commit", _commit(folders[b""]))
    missing = _still_missing(state, files, found.missing)
    return ScanState(folders[b""], files, folders, found.links, missing), commit


def _still_missing(
    state: ScanState, files: dict[bytes, FileRecord], missing: Missing | None
) -> Missing | None:
    """Return what is missing now of what was; None where a file has gone that may be missing."""
    gone = state.files.keys() - files.keys()
    if missing is None or any(state.files[path].oid for path in gone):
        return None
    return missing[0], [path for path in missing[1] if path not in files]


def _link_entries(links: dict[bytes, str]) -> dict[bytes, FileRecord]:
    return {entry_path(path): FileRecord(SUBMODULE, oid, 0, 0, 0, 0) for path, oid in links.items()}


def _contents(
    pack: Pack, root: Path, state: ScanState, found: ScanResult, reader: FileReader
) -> dict[bytes, FileRecord]:
    """Read the files that need it, and return all files as they are now."""
    files = dict(found.same)
    known = {seen.oid for seen in state.files.values()}
    with RootedDir(root) as below:
        for path in found.unread:
            try:
                seen, data = reader.read(below, path)
            except OSError:
                found.left_out.append(path)
                continue
            if seen and data is not None and seen.oid not in known:
                pack.add("blob", data)
            if seen:
                known.add(seen.oid)
                files[path] = seen
    for path in found.left_out:
        if path in state.files and state.files[path].oid:
            files[path] = state.files[path]
    return files


def _commit(tree: str) -> bytes:
    name, email = NOBODY
    who = f"{name} <{email}> {int(time.time())} +0000"
    return f"tree {tree}\nauthor {who}\ncommitter {who}\n\nnow\n".encode()
