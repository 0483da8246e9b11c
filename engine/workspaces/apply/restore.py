"""Restore a workspace to a checkpoint, all or nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from engine.config.locks import to_the_end
from engine.domain.errors import user_error
from engine.domain.text import printable_name
from engine.workspaces.apply import file_transaction
from engine.workspaces.checkpoints.changes import FileSides, is_submodule
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.files.rooted_dir import RootedDir, is_control
from engine.workspaces.git.contents import Content, contents, grouped


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The result of `restore`: the files it changed, and the checkpoint that reverts it."""

    files: tuple[str, ...]
    undo: Checkpoint
    kept: tuple[str, ...] = ()
    """Files below control folders (`.git`, …) and commits of nested repositories: never put back,
    whatever was remembered."""


async def restore(store: Checkpoints, n: int) -> RestoreResult:
    """Restore the workspace to checkpoint `n`, all or nothing; ignored files stay.

    Its present state is stored first. Raises `UserError` WORKSPACE_BUSY where an ignored file or a
    folder that cannot be entered stands in the way, or the workspace changes meanwhile.
    """
    async with store.held():
        target = await store.tree_of(n)
        journal = store.git.git_dir / "swarm-placing.json"
        await asyncio.to_thread(file_transaction.recover, store.root, journal)
        undo = await store.record_held(f"before going back to checkpoint {n}")
        if undo.left_out:
            shown = printable_name(undo.left_out[0])
            raise user_error("WORKSPACE_BUSY", f"{shown} cannot be remembered first.")
        found = await store.between(undo.tree, target)
        pairs = [pair for pair in found if not _stays(pair)]
        await _place(store, pairs, journal)
    kept = tuple(os.fsdecode(pair.path) for pair in found if _stays(pair))
    return RestoreResult(tuple(os.fsdecode(pair.path) for pair in pairs), undo, kept)


def _stays(pair: FileSides) -> bool:
    """Return whether a path is never put back: in a control folder, or another repository."""
    return is_control(pair.path) or is_submodule(pair)


async def _place(store: Checkpoints, pairs: list[FileSides], journal: Path) -> None:
    await asyncio.to_thread(_must_be_free, store.root, pairs)
    moving = file_transaction.FileTransaction(store.root, journal)
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
        await to_the_end(asyncio.to_thread(moving.place))
    except file_transaction.ConcurrentChange as error:
        raise _in_the_way(error.path) from error
    finally:
        moving.finish()


def _must_be_free(root: Path, pairs: list[FileSides]) -> None:
    going = {pair.path for pair in pairs if pair.old}
    with RootedDir(root) as below:
        for pair in pairs:
            if pair.new and (found := file_transaction.obstacle(below, pair.path, going)):
                raise _in_the_way(found)


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
                raise _in_the_way(pair.path)
            mode, oid = pair.new or (None, "")
            moving.add(pair.path, before, mode, data.get(oid, b""))


def _in_the_way(path: bytes) -> Exception:
    name = printable_name(os.fsdecode(path))
    return user_error(
        "WORKSPACE_BUSY",
        f"{name} is in the way, or changed meanwhile: nothing was put back.",
        "Wait until nothing works in the workspace, move that file away, then try again.",
    )
