"""Mirrors of the checkpoints of a node's workspaces: stores of this home, for all that reads them.

A checkpoint is taken on the node. Its objects come as a pack; then its ref is made here, if all of
it is there and fits together. No name of a ref, a file or a setting comes from the node.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable, printable_name
from engine.execution.cluster.arrivals import check_room, incomplete
from engine.execution.cluster.calls import READ_PATIENCE_S, NodeCalls
from engine.execution.cluster.long_work import ended
from engine.execution.cluster.messages import Answer, Message
from engine.execution.cluster.tree_entries import SUBMODULE, Entry, listed, listing
from engine.execution.cluster.workspace_messages import (
    DropDownload,
    FetchObjects,
    ListPoints,
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
from engine.workspaces.files.rooted_dir import is_gits
from engine.workspaces.git.git import Git

TRY_S = 60.0
SMALL_BYTES = 512 * 1024
"""Packs up to this size are unpacked: one of each checkpoint would be many."""
LIMIT_S = 3600.0
_FILES = (b"100644", b"100755", b"120000")
Work = TypeVar("Work", StoreState, PackBeginning)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreLink:
    """The store of a run's checkpoints on a node, asked by messages."""

    calls: NodeCalls
    run: str
    path: str

    @property
    def node(self) -> str:
        """The name of the node, to show."""
        return printable_name(self.calls.node)

    async def call(self, message: Message[Answer], patience_s: float | None = None) -> Answer:
        """Return the answer to a message; raises `UserError` and OSError."""
        return await self.calls.call(message, try_s=TRY_S, patience_s=patience_s)

    async def ended(self, message: Message[Work]) -> Work:
        """Return the answer to a message whose work takes long, once it is done."""
        return await ended(
            self.calls.node, lambda: self.call(message), lambda answer: answer.is_done
        )

    async def take(self, words: str) -> StoreState:
        """Take a checkpoint on the node."""
        message = TakeCheckpoint(token=uuid4().hex, run=self.run, path=self.path, message=words)
        return await self.ended(message)

    async def state(self) -> StoreState:
        """Return the checkpoints of the node."""
        return await self.calls.read(ListPoints(run=self.run, path=self.path), TRY_S)

    async def snapshot(self) -> Taken:
        """Take in the workspace as it is."""
        message = TakeSnapshot(token=uuid4().hex, run=self.run, path=self.path)
        return await ended(
            self.calls.node,
            lambda: self.calls.read(message, TRY_S),
            lambda answer: answer.is_done,
        )

    async def sync_work(self, n: int) -> None:
        """Write the files that changed to the disk there."""
        await self.call(SyncWork(run=self.run, path=self.path, n=n))

    async def download(
        self, folder: Path, have: str, commits: Sequence[str], trees: Sequence[str]
    ) -> Path:
        """Fetch a pack of checkpoints or trees into a new file of a folder."""
        message = FetchObjects(
            token=uuid4().hex,
            run=self.run,
            path=self.path,
            have=have,
            commits=tuple(commits),
            trees=tuple(trees),
        )
        begun = await self.ended(message)
        what = "The checkpoints"
        await asyncio.to_thread(check_room, folder, self.calls.node, what, begun.size_bytes)
        path = folder / f"incoming-{message.token}"
        try:
            await self._rest(path, message.token, begun.content, begun.size_bytes)
        except BaseException:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        return path

    async def _rest(self, path: Path, token: str, content: bytes, size_bytes: int) -> None:
        with path.open("xb") as file:
            await asyncio.to_thread(file.write, content)
            while content and file.tell() < size_bytes:
                content = await self.call(ReadDownload(download=token, offset=file.tell()))
                await asyncio.to_thread(file.write, content)
            if file.tell() != size_bytes:
                raise incomplete(self.calls.node, "a pack of checkpoints")
        try:
            await self.call(DropDownload(download=token), READ_PATIENCE_S)
        except (UserError, OSError) as error:  # the node removes it by itself, later
            _log.info("%s stays on the node %s: %s", token, self.node, error)


def is_away(error: Exception) -> bool:
    """Return whether an error means that the node does not answer, for now or for good."""
    return isinstance(error, UserError) and error.entry.is_node_away


def checkpoint_of(point: Point) -> Checkpoint:
    """Return a checkpoint as it came from the node."""
    return Checkpoint(
        point.n,
        point.sha,
        point.tree,
        printable(point.message),
        point.at,
        tuple(map(os.fsdecode, point.left_out)),
        tuple(map(os.fsdecode, point.rebuildable)),
        point.baseline,
    )


@dataclass(frozen=True, slots=True)
class ObjectFetcher:
    """The objects of a node's store brought into that of `git`, and checked there."""

    git: Git
    link: StoreLink

    async def fetch(self, have: str, points: Sequence[Checkpoint], trees: Sequence[str]) -> None:
        """Bring checkpoints, or trees alone, of which each is like the one before.

        `have` is a tree that is whole here, or empty. Raises `UserError` NODE_FAILED for what is
        not whole or not valid.
        """
        commits = [point.sha for point in points]
        await self._store(await self.link.download(self.git.git_dir, have, commits, trees))
        try:
            await self._check(have, points, trees)
        except UserError:
            if not have:
                raise
            # What should be here is not: all of it is fetched.
            await self._store(await self.link.download(self.git.git_dir, "", commits, trees))
            await self._check("", points, trees)

    async def _store(self, pack: Path) -> None:
        is_small = (await asyncio.to_thread(pack.stat)).st_size <= SMALL_BYTES
        how = ("unpack-objects", "-q") if is_small else ("index-pack", "--stdin")
        try:
            handle = await asyncio.to_thread(os.open, pack, os.O_RDONLY | os.O_CLOEXEC)
            await self.git.run(*how, stdin=handle, limit_s=LIMIT_S)
        except UserError as error:
            if error.code != "GIT_FAILED":
                raise
            raise self._invalid("its pack is damaged") from error
        finally:
            await asyncio.to_thread(pack.unlink, missing_ok=True)

    async def _check(self, have: str, points: Sequence[Checkpoint], trees: Sequence[str]) -> None:
        for point in points:
            answer = await self.git.ask("rev-parse", f"{point.sha}^{{tree}}", f"{point.sha}^@")
            if answer.code or answer.out.decode("ascii", "replace").split() != [point.tree]:
                raise self._invalid(f"checkpoint {point.n} is another than it was called")
        before = have
        for tree in trees:
            await self._check_tree(before, tree)
            before = tree

    async def _check_tree(self, before: str, tree: str) -> None:
        """Check that all that a tree does not share with one that is whole is here and valid."""
        if before == tree:
            return
        answer = await self.git.ask(*listing(before, tree))
        if answer.code:
            raise self._invalid("objects are missing")
        entries = listed(before, answer.out)
        for mode, _, path in entries:
            if not _is_valid(mode, path):
                raise self._invalid(f"{printable_name(os.fsdecode(path))} may not be in it")
        await self._check_objects({tree.encode(): b"tree"} | _kinds(entries))

    async def _check_objects(self, wanted: dict[bytes, bytes]) -> None:
        lines = b"".join(oid + b"\n" for oid in wanted)
        out = await self.git.run("cat-file", "--buffer", "--batch-check", stdin=lines)
        for line in out.splitlines():
            words = line.split(b" ")
            if wanted.get(words[0]) != words[1]:
                raise self._invalid("objects are missing")

    def _invalid(self, why: str) -> UserError:
        message = f"The node {self.link.node} sent a checkpoint that is not valid: {why}."
        return user_error("NODE_FAILED", message)


def _kinds(entries: Sequence[Entry]) -> dict[bytes, bytes]:
    return {
        oid: b"tree" if mode == b"040000" else b"blob"
        for mode, oid, _ in entries
        if mode != SUBMODULE
    }


def _is_valid(mode: bytes, path: bytes) -> bool:
    """Return whether a checkpoint may have this entry: none that leads elsewhere, none of git's."""
    if mode == SUBMODULE:  # the commit of a nested repository stands at its `.git`
        path = path.removesuffix(b"/.git")
    elif mode not in (*_FILES, b"040000"):
        return False
    parts = path.split(b"/")
    return not is_gits(path) and not any(part in (b"", b".", b"..") for part in parts)


def named(point: Checkpoint, taken: Checkpoint) -> Checkpoint:
    """Return a stored checkpoint with the names of the files that are not in it."""
    return replace(point, left_out=taken.left_out, rebuildable=taken.rebuildable)
