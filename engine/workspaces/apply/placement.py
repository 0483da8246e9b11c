"""Files put into a workspace together with the checkpoint that they make, all or nothing.

The checkpoint's ref decides: once it is there, what was begun is finished, else it is taken back.
The journal of the files names it, and the commit that the workspace has checked out from then on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.config.locks import to_the_end
from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.workspaces.apply import file_transaction
from engine.workspaces.checkpoints.changes import FileSides
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.owned_objects import seeing
from engine.workspaces.files.rooted_dir import RootedDir
from engine.workspaces.git.contents import Content, contents, grouped
from engine.workspaces.git.git import NOBODY, Git, identity

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeadMove:
    """The commit that a worktree has checked out, changed; `git_dir` is that of the worktree."""

    git_dir: str
    old: str
    new: str


def journal_of(store: Path) -> Path:
    """Return the journal of a run's workspace, beside its checkpoints."""
    return store / "swarm-placing.json"


def is_unfinished(store: Path) -> bool:
    """Return whether files of a workspace are on their way, or were when a program was killed."""
    return file_transaction.is_unfinished(journal_of(store))


async def finish(store: Checkpoints) -> None:
    """Finish what a program that was killed had begun in a workspace, forward or back."""
    if is_unfinished(store.git.git_dir):
        async with store.held():
            await finish_held(store)


async def finish_held(store: Checkpoints) -> None:
    """Do what `finish` does; the caller holds the store."""
    journal = journal_of(store.git.git_dir)
    if not file_transaction.is_unfinished(journal):
        return
    made = {one.n: one.sha for one in await store.list()}
    moves: list[HeadMove] = []

    def is_done(note: str) -> bool:
        found = _read(note)
        if found is None or made.get(found["n"]) != found["sha"]:
            return False
        moves.extend(HeadMove(**found["head"]) for _ in [0] if found["head"])
        return True

    moving = await asyncio.to_thread(file_transaction.recover, store.root, journal, is_done)
    if moving is None:
        return
    try:
        await store.count(map(os.fsencode, moving.paths))
        for move in moves:
            await _follow(store, move)
    finally:
        moving.finish()


async def place(
    store: Checkpoints,
    pairs: list[FileSides],
    made: Checkpoint | None = None,
    head: HeadMove | None = None,
) -> None:
    """Put files into the workspace; the caller holds the store.

    They count from then on, even where git ignores them. With them comes the checkpoint `made`,
    which was prepared, and the commit that is checked out.
    Raises `UserError` WORKSPACE_BUSY where something is in the way, or changes meanwhile.
    """
    await asyncio.to_thread(_must_be_free, store.root, pairs)
    moving = file_transaction.FileTransaction(store.root, journal_of(store.git.git_dir))
    outside = await store.skipped_files()
    try:
        by_path = {pair.path: pair for pair in pairs}
        files = {pair.path: pair.new for pair in pairs}
        async with aclosing(grouped(store.git, files)) as groups:
            async for group, folder in groups:
                wanted = (entry[1] for entry in group.values() if entry)
                data = await contents(store.git, wanted, folder)
                some = [by_path[path] for path in group]
                await to_the_end(asyncio.to_thread(_stage, moving, some, data, outside))
        await to_the_end(_switch(store, moving, made, head))
    except file_transaction.ConcurrentChange as error:
        raise in_the_way(error.path) from error
    finally:
        moving.finish()


async def _switch(
    store: Checkpoints,
    moving: file_transaction.FileTransaction,
    made: Checkpoint | None,
    head: HeadMove | None,
) -> None:
    started = time.time()
    await asyncio.to_thread(moving.place, _note(made, head) if made else "")
    if made is not None:
        try:
            await store.add(made, started)
        except BaseException:
            moving.close()
            await finish_held(store)
            raise
    await store.count(map(os.fsencode, moving.paths))
    if head:
        await _follow(store, head)


def _note(made: Checkpoint, head: HeadMove | None) -> str:
    return json.dumps({"n": made.n, "sha": made.sha, "head": asdict(head) if head else None})


def _read(note: str) -> dict[str, Any] | None:
    try:
        found = json.loads(note)
        return {name: found[name] for name in ("n", "sha", "head")}
    except (ValueError, KeyError, TypeError):
        return None


async def _follow(store: Checkpoints, move: HeadMove) -> None:
    """Move HEAD of the worktree, its branch with it, and its index; a second call does nothing.

    The files are there, and so is the baseline: what git refuses here is only reported.
    """
    place = Path(move.git_dir)
    git = Git(place, env=identity(NOBODY))
    try:
        found = await git.ask("rev-parse", "-q", "--verify", "HEAD^{commit}")
        now = found.out.decode("ascii").strip()
        if now == move.old != move.new:
            await git.run("update-ref", "-m", "swarm-tui: update", "HEAD", move.new, move.old)
            now = move.new
        if now == move.new and store.repository:
            # No file is read, to refresh the index: git opens them by name.
            seen = seeing(store.git, store.repository.objects)
            at = replace(seen, files=store.root, index=place / "index", watched=True)
            await at.run("read-tree", "--reset", move.new)
    except UserError as error:
        _log.warning("%s: HEAD stays where it is: %s", store.root, error.message)


def _must_be_free(root: Path, pairs: list[FileSides]) -> None:
    going = {pair.path for pair in pairs if pair.old}
    with RootedDir(root) as below:
        for pair in pairs:
            if pair.new and (found := file_transaction.obstacle(below, pair.path, going)):
                raise in_the_way(found)


def _stage(
    moving: file_transaction.FileTransaction,
    pairs: list[FileSides],
    data: Mapping[str, Content],
    outside: frozenset[bytes],
) -> None:
    with RootedDir(moving.root) as below:
        for pair in pairs:
            before = below.stat(pair.path) if pair.old else None
            if pair.old and before is None and pair.path not in outside:
                raise in_the_way(pair.path)
            mode, oid = pair.new or (None, "")
            moving.add(pair.path, before, mode, data.get(oid, b""))


def in_the_way(path: bytes) -> Exception:
    """Return the error for something that stands where a file belongs."""
    name = printable_name(os.fsdecode(path))
    return user_error(
        "WORKSPACE_BUSY",
        f"{name} is in the way, or changed meanwhile: nothing was changed.",
        "Wait until nothing works in the workspace, move that file away, then try again.",
    )
