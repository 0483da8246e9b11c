"""Trees of a run moved from one of its baselines to another."""

from __future__ import annotations

from engine.workspaces.apply import three_way
from engine.workspaces.apply.three_way import BroughtChanges
from engine.workspaces.checkpoints.changed_tree import changed_tree
from engine.workspaces.checkpoints.changes import is_submodule
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.git import objects


async def rebased(run: Checkpoints, tree: str, old: str, new: str) -> str:
    """Return a tree that was measured against the baseline `old` as it is against `new`.

    A file that conflicts is as the new baseline has it.
    """
    if old == new:
        return tree
    pairs = [pair for pair in await run.between(old, new) if not is_submodule(pair)]
    ours = await objects.tree(run.git, tree)
    joined = await three_way.join(run.git, BroughtChanges(pairs), ours, {})
    refused = {clash.path.encode("utf-8", "surrogateescape") for clash in joined.clashes}
    files = {**joined.files, **{one.path: one.new for one in pairs if one.path in refused}}
    return await changed_tree(run.git, tree, files)


async def tree_since(run: Checkpoints, since: int) -> str:
    """Return what the present work is measured against, from a checkpoint on.

    A checkpoint that was measured against an earlier baseline is moved to the present one.
    """
    now = await run.baseline()
    if since == BASELINE:
        return now.tree
    point = await run.point(since)
    then = await run.baselines.of(point)
    return await rebased(run, point.tree, then.tree, now.tree)
