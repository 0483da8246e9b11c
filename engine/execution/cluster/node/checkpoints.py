"""Answers of a node to messages about checkpoints: taken here, and sent as packs.

A pack holds what the store of the sender lacks: the objects of each tree that the tree before it
does not have.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from engine.domain.errors import user_error
from engine.domain.model import ForkOrigin
from engine.execution.cluster.messages import Message
from engine.execution.cluster.node.sources import LIMIT_S
from engine.execution.cluster.node.workspaces import Handler, HomeWorkspaces, on
from engine.execution.cluster.object_ids import check_ids
from engine.execution.cluster.tree_entries import SUBMODULE, listed, listing
from engine.execution.cluster.workspace_messages import (
    DropDownload,
    FetchObjects,
    ListPoints,
    MakeStore,
    PackBeginning,
    Point,
    ReadDownload,
    StoreState,
    SyncWork,
    TakeCheckpoint,
    Taken,
    TakeSnapshot,
)
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.create import made_from
from engine.workspaces.git.git import Git

OPENED = 100
"""The most stores that are kept open."""


async def make_store(home: HomeWorkspaces, sent: MakeStore) -> StoreState:
    """Make a store."""

    async def make() -> StoreState:
        note = await home.note(sent.path)
        if sent.origin_run:
            like = await home.note(sent.origin_path)
            note = await asyncio.to_thread(home.notes.become, sent.path, like)
            origin = ForkOrigin(sent.origin_run, like.workspace)
            store = await home.workspaces.copy_checkpoints(sent.run, note.workspace, origin)
        else:
            store = await home.workspaces.make_checkpoints(
                sent.run, note.workspace, sent.rebuildable
            )
        _keep(home, sent.run, sent.path, store)
        return await _state(store, is_new=not sent.origin_run)

    done = await home.operations.result(sent.token, make)
    return done.value if done else StoreState(is_done=False)


async def take_checkpoint(home: HomeWorkspaces, sent: TakeCheckpoint) -> StoreState:
    """Take a checkpoint."""

    async def take() -> StoreState:
        store = await _store(home, sent.run, sent.path)
        try:
            taken = await store.record(sent.message)
        except Exception:
            home.stores.pop((sent.run, sent.path), None)  # opened again, which finds out more
            raise
        return await _state(store, taken)

    done = await home.operations.result(sent.token, take)
    return done.value if done else StoreState(is_done=False)


async def list_points(home: HomeWorkspaces, sent: ListPoints) -> StoreState:
    """List the checkpoints."""
    return await _state(await _store(home, sent.run, sent.path))


async def take_snapshot(home: HomeWorkspaces, sent: TakeSnapshot) -> Taken:
    """Take in a workspace as it is."""

    async def take() -> Taken:
        now = await (await _store(home, sent.run, sent.path)).now()
        return Taken(True, now.tree, _bytes(now.left_out), _bytes(now.rebuildable))

    done = await home.operations.result(sent.token, take)
    return done.value if done else Taken(is_done=False)


async def sync_work(home: HomeWorkspaces, sent: SyncWork) -> bool:
    """Write files to the disk."""
    await (await _store(home, sent.run, sent.path)).sync_work(sent.n)
    return True


async def fetch_objects(home: HomeWorkspaces, sent: FetchObjects) -> PackBeginning:
    """Write a pack, and return its first piece."""

    async def pack() -> int:
        store = await _store(home, sent.run, sent.path)
        ids = [*sent.commits, *sent.trees, *([sent.have] if sent.have else [])]
        check_ids(ids, store.object_format)
        path = await asyncio.to_thread(home.transfers.new, sent.token)
        with path.open("xb") as file:
            await _write_pack(store.git, sent, file.fileno())
        return path.stat().st_size

    done = await home.operations.result(sent.token, pack)
    if done is None:
        return PackBeginning(is_done=False)
    content = await asyncio.to_thread(home.transfers.read, sent.token, 0)
    return PackBeginning(True, done.value, content)


async def read_download(home: HomeWorkspaces, sent: ReadDownload) -> bytes:
    """Return the next piece of a file."""
    try:
        return await asyncio.to_thread(home.transfers.read, sent.download, sent.offset)
    except FileNotFoundError as error:
        raise user_error("NODE_FAILED", "The file was removed from the node.") from error


async def drop_download(home: HomeWorkspaces, sent: DropDownload) -> bool:
    """Remove a file."""
    await asyncio.to_thread(home.transfers.drop, [sent.download])
    return True


async def _write_pack(git: Git, sent: FetchObjects, handle: int) -> None:
    wanted, before = {*sent.commits, *sent.trees}, sent.have
    if before and (await git.ask("cat-file", "-e", f"{before}^{{tree}}")).code:
        before = ""
    for tree in sent.trees:
        wanted |= await _new_objects(git, before, tree)
        before = tree
    lines = "".join(f"{oid}\n" for oid in sorted(wanted)).encode()
    how = ("pack-objects", "--stdout", "--delta-base-offset", "-q")
    await git.run(*how, stdin=lines, stdout=handle, limit_s=LIMIT_S)


async def _new_objects(git: Git, before: str, tree: str) -> set[str]:
    """Return the trees and files below a tree that the one before it does not have."""
    if before == tree:
        return set()
    entries = listed(before, await git.run(*listing(before, tree)))
    return {oid.decode("ascii") for mode, oid, _ in entries if mode != SUBMODULE}


async def _store(home: HomeWorkspaces, run: str, path: str) -> Checkpoints:
    """Return the store of a run's workspace; raises `UserError` CHANGES_UNKNOWN without one."""
    found = home.stores.get((run, path))
    if found is None:
        note = await home.note(path)
        found = await home.workspaces.open_checkpoints(run, note.workspace)
        _keep(home, run, path, found)
    return found


def _keep(home: HomeWorkspaces, run: str, path: str, store: Checkpoints) -> None:
    while len(home.stores) >= OPENED:
        del home.stores[next(iter(home.stores))]
    home.stores[run, path] = store


async def _state(
    store: Checkpoints, taken: Checkpoint | None = None, *, is_new: bool = False
) -> StoreState:
    points = [] if is_new else await store.list()
    base = await asyncio.to_thread(made_from.noted, store.git.git_dir)
    return StoreState(
        True,
        store.object_format,
        base or "",
        tuple(map(_point, points)),
        _point(taken) if taken else None,
    )


def _point(one: Checkpoint) -> Point:
    left_out, rebuildable = _bytes(one.left_out), _bytes(one.rebuildable)
    return Point(one.n, one.sha, one.tree, one.message, one.at, left_out, rebuildable, one.baseline)


def _bytes(paths: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(map(os.fsencode, paths))


HANDLERS: Mapping[type[Message[Any]], Handler] = {
    MakeStore: on(make_store),
    TakeCheckpoint: on(take_checkpoint),
    ListPoints: on(list_points),
    TakeSnapshot: on(take_snapshot),
    SyncWork: on(sync_work),
    FetchObjects: on(fetch_objects),
    ReadDownload: on(read_download),
    DropDownload: on(drop_download),
}
