"""A workspace's files as a git tree in the run's own store, at the price of what has changed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from engine.domain.errors import UserError
from engine.workspace import objects
from engine.workspace.below import Below
from engine.workspace.git import NOBODY, Git, identity
from engine.workspace.repository import quoted
from engine.workspace.scan import Found, Reader, Seen, counts, listing, look

NOW = "refs/swarm/now"
_STATE = "swarm-seen"
_FORMATS = {40: "sha1", 64: "sha256"}
_BUFFER = 1024 * 1024
PACKS = 40
LARGE_PACK_BYTES = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tree, the files in it, and the paths of those that could not be read into it."""

    tree: str
    files: Collection[bytes]
    left_out: tuple[str, ...]


class State(msgspec.Struct, array_like=True):
    """What the last look found, so that the next one reads only what has changed."""

    tree: str | None = None
    files: dict[bytes, Seen] = msgspec.field(default_factory=dict[bytes, Seen])


@dataclass(slots=True)
class _Written:
    files: dict[bytes, Seen]
    left_out: list[bytes] = field(default_factory=list[bytes])


async def prime(git: Git, treeish: str | None) -> None:
    """Start from a tree that most files are expected to be in, instead of from nothing."""
    state = State()
    if treeish:
        with suppress(UserError):  # a partial clone may lack it: then all is read and stored
            out = await git.run("rev-parse", "-q", "--verify", treeish)
            tree = out.decode("ascii").strip()
            files = await objects.tree(git, tree)
            seen = {path: Seen(*entry, -1, 0, 0, 0) for path, entry in files.items()}
            state = State(tree, seen)
    await asyncio.to_thread(_save, git, state)


async def take(git: Git, root: Path) -> Snapshot:
    """Take in the workspace as it is now; raises `UserError`."""
    state, found = await _look(git, root)
    if state.tree and not found.unread and len(found.same) == len(state.files):
        return _snapshot(state.tree, state.files, found.left_out)
    tree, written = await _write(git, root, state, found)
    await asyncio.to_thread(_save, git, State(tree, written.files))
    await _tidy(git)
    return _snapshot(tree, written.files, written.left_out)


def _snapshot(tree: str, files: Collection[bytes], left_out: list[bytes]) -> Snapshot:
    return Snapshot(tree, files, tuple(os.fsdecode(path) for path in left_out))


async def _tidy(git: Git) -> None:
    """Make one pack of many small ones; large ones stay, and so does what nothing refers to."""
    packs = [*(git.git_dir / "objects" / "pack").glob("*.pack")]
    if len(packs) > PACKS:
        large = (path.name for path in packs if path.stat().st_size > LARGE_PACK_BYTES)
        kept = (f"--keep-pack={name}" for name in large)
        await git.run("repack", "-a", "-d", "-k", "-l", "-q", *kept)


async def commit(git: Git, tree: str, message: str) -> str:
    """Make a commit without parents of a tree, and give its id."""
    text = message.encode("utf-8", "replace")
    signed = Git(git.git_dir, settings=git.settings, env=identity(*NOBODY))
    out = await signed.run("commit-tree", tree, stdin=text)
    return out.decode("ascii").strip()


async def _look(git: Git, root: Path) -> tuple[State, Found]:
    """Look at all files: at those we know of while git still looks for others."""
    listed = asyncio.create_task(listing(git, root))
    try:
        state, found = await asyncio.to_thread(_look_at_known, git, root)
        fresh = {path for path in await listed - state.files.keys() if counts(path)}
    finally:
        listed.cancel()
    if fresh:
        await asyncio.to_thread(look, root, fresh, {}, found)
    return state, found


def _look_at_known(git: Git, root: Path) -> tuple[State, Found]:
    state, found = _load(git), Found()
    look(root, state.files, state.files, found)
    return state, found


def _load(git: Git) -> State:
    try:
        return msgspec.msgpack.decode((git.git_dir / _STATE).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):  # only a cache: all is read again
        return State()


def _save(git: Git, state: State) -> None:
    part = git.git_dir / f"{_STATE}.part"
    part.write_bytes(msgspec.msgpack.encode(state))
    part.rename(git.git_dir / _STATE)


async def _write(git: Git, root: Path, state: State, found: Found) -> tuple[str, _Written]:
    """Read what changed and stream it into git; gives the tree and what is in it."""
    loop = asyncio.get_running_loop()
    algorithm = _FORMATS[len(state.tree)] if state.tree else await _format(git)

    def keep_large(handle: int) -> str:
        hashing = git.run("hash-object", "-w", "--stdin", "--no-filters", stdin=handle)
        out = asyncio.run_coroutine_threadsafe(hashing, loop).result()
        return out.decode("ascii").strip()

    read_end, write_end = os.pipe()
    importing = asyncio.create_task(git.run("fast-import", "--quiet", "--force", stdin=read_end))
    try:
        written = await asyncio.to_thread(
            _stream, write_end, root, state, found, algorithm, keep_large
        )
        out = await importing
    finally:
        importing.cancel()
    return out.split(b"tree ")[1].split(b"\t")[0].decode("ascii"), written


async def _format(git: Git) -> str:
    return (await git.run("rev-parse", "--show-object-format")).decode("ascii").strip()


def _stream(
    write_end: int,
    root: Path,
    state: State,
    found: Found,
    algorithm: str,
    keep_large: Callable[[int], str],
) -> _Written:
    written = _Written(dict(found.same), list(found.left_out))
    try:
        with os.fdopen(write_end, "wb", _BUFFER) as out, Below(root) as below:
            out.write(b"feature done\n")
            _contents(out, below, state, found, written, algorithm, keep_large)
            for path in found.left_out:
                if path in state.files:
                    written.files[path] = state.files[path]
            _tree(out, state, written.files)
    except BrokenPipeError:  # git says why it stopped reading
        pass
    return written


def _contents(
    out: BinaryIO,
    below: Below,
    state: State,
    found: Found,
    written: _Written,
    algorithm: str,
    keep_large: Callable[[int], str],
) -> None:
    known = {seen.oid for seen in state.files.values()}

    def keep(data: bytes) -> None:
        out.write(b"blob\ndata %d\n" % len(data))
        out.write(data)
        out.write(b"\n")

    reader = Reader(below, algorithm, keep, keep_large)
    for path in found.unread:
        try:
            seen = reader.read(path, known.__contains__)
        except BrokenPipeError:
            raise
        except OSError:
            written.left_out.append(path)
            seen = state.files.get(path)
        if seen:
            known.add(seen.oid)
            written.files[path] = seen


def _tree(out: BinaryIO, state: State, files: dict[bytes, Seen]) -> None:
    name, email = NOBODY
    out.write(f"commit {NOW}\nmark :1\ncommitter {name} <{email}> ".encode())
    out.write(b"%d +0000\ndata 3\nnow\n" % int(time.time()))
    if state.tree:
        out.write(f'M 040000 {state.tree} ""\n'.encode())
    for path in state.files.keys() - files.keys():
        out.write(b"D %s\n" % quoted(path))
    for path, seen in files.items():
        before = state.files.get(path)
        if before is None or before[:2] != seen[:2]:
            out.write(b"M %o %s %s\n" % (seen.mode, seen.oid.encode(), quoted(path)))
    out.write(b'get-mark :1\nls :1 ""\ndone\n')
