"""Restore a workspace to a checkpoint, all or nothing."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name
from engine.workspaces.apply import placement, update_notes
from engine.workspaces.apply.own_commits import worktree_head
from engine.workspaces.apply.placement import HeadMove
from engine.workspaces.checkpoints.changed_tree import changed_tree
from engine.workspaces.checkpoints.changes import FileSides, is_submodule
from engine.workspaces.checkpoints.checkpoint_refs import Checkpoint
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.files.control_files import ControlFiles


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The result of `restore`: the files it changed, and the checkpoint that reverts it."""

    files: tuple[str, ...]
    undo: Checkpoint
    kept: tuple[str, ...] = ()
    """Control files (below `.git`, in a bare repository, …) and commits of nested repositories:
    never put back, whatever was remembered."""
    made: Checkpoint | None = None
    """The checkpoint from which on changes are measured against an earlier baseline again."""


async def restore(store: Checkpoints, n: int, head: HeadMove | None = None) -> RestoreResult:
    """Restore the workspace to checkpoint `n`, all or nothing; ignored files stay.

    Its present state is stored first. The baseline is the one of that checkpoint again; where it
    is another one, a worktree has the commit of that time checked out again. Raises
    `UserError` WORKSPACE_BUSY where an ignored file or a folder that cannot be entered stands in
    the way, or the workspace changes meanwhile, and UNDO_REFUSED where git is busy in it.
    """
    async with store.held():
        target = await store.point(n)
        await placement.finish_held(store)
        undo = await record_first(store, f"before going back to checkpoint {n}")
        found = await store.between(undo.tree, target.tree)
        staying = await asyncio.to_thread(_staying, store, found)
        pairs = [pair for pair in found if pair.path not in staying]
        move = await _head_move(store, undo, target)
        head = head or move
        made = await _made(store, undo, target, pairs, is_needed=head is not None)
        await placement.place(store, pairs, made, head)
    kept = tuple(os.fsdecode(pair.path) for pair in found if pair.path in staying)
    return RestoreResult(tuple(os.fsdecode(pair.path) for pair in pairs), undo, kept, made)


async def _head_move(store: Checkpoints, undo: Checkpoint, target: Checkpoint) -> HeadMove | None:
    """Return the move of the worktree to its commit under the baseline of `target`."""
    if undo.baseline == target.baseline:
        return None
    try:
        there = await worktree_head(store, store.branch)
    except UserError as error:
        message = error.message.replace("Nothing was updated", "Nothing was restored")
        raise user_error("UNDO_REFUSED", message, error.recovery) from error
    if there is None:
        return None
    await update_notes.note_head(store, undo, there.old)
    commit = await update_notes.head_at(store, target)
    return HeadMove(there.git_dir, there.old, commit) if commit else None


async def record_first(store: Checkpoints, words: str) -> Checkpoint:
    """Store the present state before it changes; raises `UserError` where a file is left out."""
    undo = await store.record_held(words)
    if undo.left_out:
        shown = printable_name(undo.left_out[0])
        raise user_error("WORKSPACE_BUSY", f"{shown} cannot be remembered first.")
    return undo


async def _made(
    store: Checkpoints,
    undo: Checkpoint,
    target: Checkpoint,
    pairs: list[FileSides],
    *,
    is_needed: bool,
) -> Checkpoint | None:
    """Prepare the checkpoint that brings an earlier baseline back, where it is another one."""
    if undo.baseline == target.baseline and not is_needed:
        return None
    files = {pair.path: pair.new for pair in pairs}
    tree = await changed_tree(store.git, undo.tree, files)
    words = f"back at checkpoint {target.n}"
    return await store.prepare(undo.n + 1, tree, words, target.baseline)


def _staying(store: Checkpoints, found: list[FileSides]) -> set[bytes]:
    """Return the paths that are never put back: control files, and other repositories. Blocking."""
    control = ControlFiles(store.root, (pair.path for pair in found if pair.new))
    staying = control.among(pair.path for pair in found)
    return staying | {pair.path for pair in found if is_submodule(pair)}
