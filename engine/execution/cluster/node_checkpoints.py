"""The checkpoints of a node's workspace: taken there, and read from their mirror in this home."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
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
from engine.workspaces.git import objects
from engine.workspaces.git.repository import Repository, make_private
from engine.workspaces.git.user_git_config import UserGitConfig, user_git_config

_log = logging.getLogger(__name__)
ELSEWHERE = "This cannot be done in a workspace on a node."


class NodeCheckpoints(Checkpoints):
    """The checkpoints of a run on a node; while it does not answer, those that were mirrored."""

    def __init__(
        self,
        folder: Path,
        workspace: Workspace,
        repository: Repository | None,
        who: UserGitConfig,
        link: StoreLink,
        rebuildable: Collection[str] = (),
    ) -> None:
        super().__init__(folder, workspace, repository, who)
        self._link = link
        self._fetcher = ObjectFetcher(self.git, link)
        self._names = tuple(rebuildable)
        self._base_tree = ""
        """A tree that is whole in a new mirror: that of the commit the workspace is made from."""

    # Made and opened

    @classmethod
    async def made(
        cls, paths: Paths, workspace: Workspace, link: StoreLink, rebuildable: Collection[str]
    ) -> NodeCheckpoints:
        """Make the store on the node, and an empty mirror in place of an earlier one."""
        state = await _store_made(link, tuple(rebuildable))
        return await cls._empty(paths, workspace, link, state, rebuildable)

    @classmethod
    async def forked(
        cls, paths: Paths, workspace: Workspace, link: StoreLink, like: ForkOrigin
    ) -> NodeCheckpoints:
        """Make the store on the node as a copy of another run's, and mirror it."""
        state = await _store_made(link, origin_run=like.run, origin_path=like.workspace.path)
        source = paths.checkpoints(like.run, like.workspace.path)
        folder = paths.checkpoints(link.run, workspace.path)
        if not await asyncio.to_thread(has_baseline, source):
            self = await cls._empty(paths, workspace, link, state)
        else:
            await _copy(source, folder)
            self = await cls._found(folder, workspace, link)
        async with self._held():
            await self._mirror(state)
        return self

    @classmethod
    async def opened(cls, paths: Paths, workspace: Workspace, link: StoreLink) -> NodeCheckpoints:
        """Open the mirror, brought up to date if the node answers.

        Raises `UserError` CHANGES_UNKNOWN where neither has a baseline.
        """
        folder = paths.checkpoints(link.run, workspace.path)
        state: StoreState | None = None
        try:
            state = await link.state()
        except (UserError, OSError) as error:
            _log.info("run %s: the checkpoints of its node are not read: %s", link.run, error)
        if await asyncio.to_thread(has_baseline, folder) or await _is_repaired(folder):
            self = await cls._found(folder, workspace, link)
        elif state and state.points:
            self = await cls._empty(paths, workspace, link, state)
        else:
            raise unknown_changes(folder)
        if state:
            async with self._held():
                await self._mirror(state)
        return self

    @classmethod
    async def _found(cls, folder: Path, workspace: Workspace, link: StoreLink) -> NodeCheckpoints:
        here = _here(workspace, folder)
        repository = await origin(here)
        who = await user_git_config(repository, folder.parent)
        return cls(folder, here, repository, who, link)

    @classmethod
    async def _empty(
        cls,
        paths: Paths,
        workspace: Workspace,
        link: StoreLink,
        state: StoreState,
        rebuildable: Collection[str] = (),
    ) -> NodeCheckpoints:
        folder = paths.checkpoints(link.run, workspace.path)
        private_folder(folder.parent)
        await asyncio.to_thread(clear, folder)
        here = _here(workspace, folder)
        repository = await origin(here)
        who = await user_git_config(repository, folder.parent)
        self = cls(folder, here, repository, who, link, rebuildable)
        self._is_new = True
        private_folder(folder)
        async with locked(self._lock):
            await asyncio.to_thread(make_private, folder, None, state.object_format)
            await self._prime(state)
        return self

    async def _prime(self, state: StoreState) -> None:
        """Take over from the source here what the workspace was made from: it need not come."""
        found, commit = self.repository, state.made_from
        if not found or not commit or found.object_format != state.object_format:
            return
        check_ids([commit], state.object_format)
        answer = await found.git.ask("rev-parse", "-q", "--verify", f"{commit}^{{tree}}")
        if answer.code:
            return
        branch = os.fsencode(found.branch or "")
        noted = commit.encode() + b"\n" + branch + b"\n"
        await asyncio.to_thread(write_synced, made_from.place(self.git.git_dir), noted)
        tree = answer.out.decode("ascii").strip()
        await snapshot.prime(self.git, found.objects, tree, may_link=True, is_sparse=True)
        if (await self.git.ask("rev-list", "--objects", "--quiet", tree)).code == 0:
            self._base_tree = tree

    # Taken on the node

    async def record_or_last(self, message: str) -> Checkpoint:
        """Take a checkpoint; where the node does not answer, return the last that is here."""
        try:
            return await self.record(message)
        except UserError as error:
            if not is_away(error):
                raise
        last = (await self.list())[-1]
        return replace(last, left_out=(self._away(last),))

    async def _record(self, message: str) -> Checkpoint:
        try:
            state = await self._link.take(message)
        except UserError as error:
            if not (self._is_new and error.code == "CHANGES_UNKNOWN"):
                raise
            # The node was started again before the first checkpoint: its empty store is unknown.
            await _store_made(self._link, self._names)
            state = await self._link.take(message)
        await self._mirror(state)
        taken = checkpoint_of(state.taken) if state.taken else None
        if taken is None:
            raise user_error(
                "NODE_FAILED", "The answer of the node lacks the checkpoint that it took."
            )
        return named(await self.point(taken.n), taken)

    async def _mirror(self, state: StoreState) -> None:
        """Bring home all checkpoints that are not here; the caller holds the store."""
        here = {one.n: one for one in await self._points.list()}
        check_ids((id for one in state.points for id in (one.sha, one.tree)), self.object_format)
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
        have = here[max(here)].tree if here else self._base_tree
        since = time.time() if here else 0.0
        await self._fetcher.fetch(have, new, [one.tree for one in new])
        for one in new:
            await self.add(one, since)

    async def _snapshot(self) -> Snapshot:
        try:
            now = await self._link.snapshot()
            tree = await self._fetched(now.tree)
        except UserError as error:
            if not is_away(error):
                raise
            last = (await self._points.list())[-1]
            return Snapshot(last.tree, (), (self._away(last),))
        left_out = tuple(map(os.fsdecode, now.left_out))
        return Snapshot(tree, (), left_out, tuple(map(os.fsdecode, now.rebuildable)))

    async def _fetched(self, tree: str) -> str:
        """Bring a tree home that is in no checkpoint."""
        check_ids([tree], self.object_format)
        found = await self._points.list()
        if all(one.tree != tree for one in found):
            await self._fetcher.fetch(found[-1].tree if found else "", (), [tree])
            commit = await snapshot.commit(self.git, tree, "now")
            await self.git.run("update-ref", snapshot.NOW, commit)
        return tree

    def _away(self, last: Checkpoint) -> str:
        return f"all since checkpoint {last.n}: the node {self._link.node} does not answer"

    async def sync_work(self, n: int) -> None:
        """Write the files that changed to the node's disk."""
        await self._link.sync_work(n)

    async def counted(self) -> list[bytes]:
        """List the files of the workspace."""
        return list(await objects.tree(self.git, (await self.now()).tree))

    async def count(self, paths: Iterable[bytes]) -> None:
        """Refuse: files are put into a workspace of this machine only."""
        raise user_error("NODE_CANNOT", ELSEWHERE)

    @asynccontextmanager
    async def _held(self) -> AsyncGenerator[None]:
        async with locked(self._lock):
            try:
                yield
            except OSError as error:
                raise os_failure(error) from error


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
    while not (state := await link.call(message)).is_done:
        pass
    return state


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
    with suppress(UserError, OSError):
        async with locked(folder / "swarm.lock"):
            return await repair.repaired(folder, None)
    return False
