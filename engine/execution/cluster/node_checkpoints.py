"""The checkpoints of a node's workspace: taken there, and read from their mirror in this home."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from engine.config.locks import locked
from engine.config.paths import Paths, private_folder
from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.model import LOCAL, ForkOrigin, Workspace, WorkspaceKind
from engine.execution.cluster.mirror import ObjectFetcher, StoreLink, checkpoint_of, is_away, named
from engine.execution.cluster.object_ids import check_ids
from engine.execution.cluster.workspace_messages import MakeStore, StoreState
from engine.system.durable import write_synced
from engine.workspaces.checkpoints import repair, snapshot
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint, has_baseline
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.damage import unknown_changes
from engine.workspaces.checkpoints.snapshot import Snapshot
from engine.workspaces.create import made_from
from engine.workspaces.create.origin import origin
from engine.workspaces.create.worktree import clear
from engine.workspaces.git.repository import make_private
from engine.workspaces.git.user_git_config import user_git_config

_log = logging.getLogger(__name__)


class NodeStore:
    """The workspace of a run on a node, with its checkpoints there; others read their mirror."""

    def __init__(self, link: StoreLink, rebuildable: Collection[str] = ()) -> None:
        self._link = link
        self._names = tuple(rebuildable)
        self.base_tree = ""
        """A tree that is whole in a new mirror: that of the commit the workspace is made from."""

    async def record(self, store: Checkpoints, message: str) -> Checkpoint:
        """Take a checkpoint on the node, and bring it home."""
        try:
            state = await self._link.take(message)
        except UserError as error:
            if error.code != "CHANGES_UNKNOWN" or await store.list():
                raise
            # The node was started again before the first checkpoint: its empty store is unknown.
            await _store_made(self._link, self._names)
            state = await self._link.take(message)
        await self.mirror(store, state)
        taken = checkpoint_of(state.taken) if state.taken else None
        if taken is None:
            raise user_error("NODE_FAILED", "The answer of the node lacks the checkpoint it took.")
        return named(await store.point(taken.n), taken)

    async def record_or_last(self, store: Checkpoints, message: str) -> Checkpoint:
        """Take a checkpoint; where the node does not answer, return the last that is here."""
        try:
            self._link.calls.check_answers()
            return await store.record(message)
        except UserError as error:
            if not is_away(error):
                raise
        last = (await store.list())[-1]
        return replace(last, left_out=(self._away(last),))

    async def snapshot(self, store: Checkpoints) -> Snapshot:
        """Take in the workspace as it is; where the node does not answer, as it was last."""
        try:
            now = await self._link.snapshot()
            tree = await self._fetched(store, now.tree)
        except UserError as error:
            if not is_away(error):
                raise
            last = (await store.list())[-1]
            return Snapshot(last.tree, (), (self._away(last),), checkpoint=last.n)
        left_out = tuple(map(os.fsdecode, now.left_out))
        return Snapshot(tree, (), left_out, tuple(map(os.fsdecode, now.rebuildable)))

    async def sync_work(self, n: int) -> None:
        """Write the files that changed to the node's disk."""
        await self._link.sync_work(n)

    async def mirror(self, store: Checkpoints, state: StoreState) -> None:
        """Bring home all checkpoints that are not here; the caller holds the store."""
        ids = (id for one in state.points for id in (one.sha, one.tree))
        check_ids(ids, store.object_format)
        here = {one.n: one for one in await store.list()}
        coming = [checkpoint_of(one) for one in state.points]
        for one in coming:
            if one.baseline or (one.n in here and here[one.n].sha != one.sha):
                message = f"The node has another checkpoint {one.n} than it had before."
                raise user_error("NODE_FAILED", message)
        new = [one for one in coming if one.n not in here]
        if [one.n for one in new] != list(range(len(here), len(here) + len(new))):
            raise user_error("NODE_FAILED", "The node has lost checkpoints that it had before.")
        if not new:
            return
        have = here[max(here)].tree if here else self.base_tree
        since = time.time() if here else 0.0
        fetcher = ObjectFetcher(store.git, self._link)
        await fetcher.fetch(have, new, [one.tree for one in new])
        for one in new:
            await store.add(one, since)

    async def _fetched(self, store: Checkpoints, tree: str) -> str:
        """Bring a tree home that is in no checkpoint."""
        check_ids([tree], store.object_format)
        found = await store.list()
        if all(one.tree != tree for one in found):
            fetcher = ObjectFetcher(store.git, self._link)
            await fetcher.fetch(found[-1].tree if found else "", (), [tree])
            commit = await snapshot.commit(store.git, tree, "now")
            await store.git.run("update-ref", snapshot.NOW, commit)
        return tree

    def _away(self, last: Checkpoint) -> str:
        self._link.calls.shown[self._link.run] = last.n
        return f"all since checkpoint {last.n}: the node {self._link.node} does not answer"


async def made(
    paths: Paths, workspace: Workspace, link: StoreLink, rebuildable: Collection[str]
) -> Checkpoints:
    """Make the store on the node, and an empty mirror in place of an earlier one."""
    state = await _store_made(link, tuple(rebuildable))
    return await _empty(paths, workspace, link, NodeStore(link, rebuildable), state)


async def forked(
    paths: Paths, workspace: Workspace, link: StoreLink, like: ForkOrigin
) -> Checkpoints:
    """Make the store on the node as a copy of another run's, and mirror it."""
    state = await _store_made(link, origin_run=like.run, origin_path=like.workspace.path)
    source = paths.checkpoints(like.run, like.workspace.path)
    folder = paths.checkpoints(link.run, workspace.path)
    node = NodeStore(link)
    if not await asyncio.to_thread(has_baseline, source):
        store = await _empty(paths, workspace, link, node, state)
    else:
        await _copy(source, folder)
        store = await _found(folder, workspace, node)
    async with store.held():
        await node.mirror(store, state)
    return store


async def opened(paths: Paths, workspace: Workspace, link: StoreLink) -> Checkpoints:
    """Open the mirror, brought up to date if the node answers.

    Raises `UserError` CHANGES_UNKNOWN where neither has a baseline, NODE_UNREACHABLE or NODE_LOST
    where the node cannot be asked.
    """
    folder, node = paths.checkpoints(link.run, workspace.path), NodeStore(link)
    state, away = None, None
    try:
        state = await link.state()
    except (UserError, OSError) as error:
        away = error if is_away(error) else None
        _log.info("run %s: the checkpoints of its node are not read: %s", link.run, error)
    if await asyncio.to_thread(has_baseline, folder) or await _is_repaired(folder):
        store = await _found(folder, workspace, node)
    elif state and state.points:
        store = await _empty(paths, workspace, link, node, state)
    else:
        raise away or unknown_changes(folder)
    if state:
        async with store.held():
            await node.mirror(store, state)
    elif away:
        link.calls.shown[link.run] = (await store.list())[-1].n
    return store


async def _found(folder: Path, workspace: Workspace, node: NodeStore) -> Checkpoints:
    here = _here(workspace, folder)
    repository = await origin(here)
    who = await user_git_config(repository, folder.parent)
    return Checkpoints(folder, here, repository, who, node)


async def _empty(
    paths: Paths, workspace: Workspace, link: StoreLink, node: NodeStore, state: StoreState
) -> Checkpoints:
    folder = paths.checkpoints(link.run, workspace.path)
    private_folder(folder.parent)
    await asyncio.to_thread(clear, folder)
    store = await _found(folder, workspace, node)
    private_folder(folder)
    async with locked(folder / "swarm.lock"):
        await asyncio.to_thread(make_private, folder, None, state.object_format)
        node.base_tree = await _primed(store, state)
    return store


async def _primed(store: Checkpoints, state: StoreState) -> str:
    """Take over from the source here what the workspace was made from: it need not come.

    Returns the tree that is whole then; empty where there is none.
    """
    found, commit = store.repository, state.made_from
    if not found or not commit or found.object_format != state.object_format:
        return ""
    check_ids([commit], state.object_format)
    answer = await found.git.ask("rev-parse", "-q", "--verify", f"{commit}^{{tree}}")
    if answer.code:
        return ""
    noted = commit.encode() + b"\n" + os.fsencode(found.branch or "") + b"\n"
    await asyncio.to_thread(write_synced, made_from.place(store.git.git_dir), noted)
    tree = answer.out.decode("ascii").strip()
    await snapshot.prime(store.git, found.objects, tree, may_link=True, is_sparse=True)
    is_whole = (await store.git.ask("rev-list", "--objects", "--quiet", tree)).code == 0
    return tree if is_whole else ""


async def _store_made(
    link: StoreLink,
    rebuildable: tuple[str, ...] = (),
    origin_run: str = "",
    origin_path: str = "",
) -> StoreState:
    message = MakeStore(
        token=uuid4().hex,
        run=link.run,
        path=link.path,
        rebuildable=rebuildable,
        origin_run=origin_run,
        origin_path=origin_path,
    )
    return await link.ended(message)


def _here(workspace: Workspace, folder: Path) -> Workspace:
    """Return a workspace as one of this machine, in a folder that is never there."""
    is_from_run = workspace.kind is WorkspaceKind.FROM_RUN
    source = None if is_from_run else workspace.source
    return replace(workspace, path=str(folder.with_suffix(".none")), host=LOCAL, source=source)


async def _copy(source: Path, folder: Path) -> None:
    private_folder(folder.parent)
    await asyncio.to_thread(clear, folder)
    try:
        async with locked(source / "swarm.lock"):
            await asyncio.to_thread(shutil.copytree, source, folder, symlinks=True)
    except OSError as error:
        raise os_failure(error) from error


async def _is_repaired(folder: Path) -> bool:
    """Return whether a damaged mirror has its baseline again."""
    if not await asyncio.to_thread(folder.is_dir):
        return False
    with suppress(UserError, OSError):  # then it counts as missing
        async with locked(folder / "swarm.lock"):
            return await repair.repaired(folder, None)
    return False
