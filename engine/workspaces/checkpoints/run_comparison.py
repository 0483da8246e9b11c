"""Comparison of the workspaces of two runs, by the objects of both stores of checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import BinaryIO

from engine.domain.errors import os_failure, user_error
from engine.workspaces.checkpoints import patches
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.comparison import Comparison
from engine.workspaces.checkpoints.owned_objects import seeing


async def compare_stores(old: Checkpoints, new: Checkpoints) -> Comparison:
    """Compare two workspaces as they are now, whatever each was made from.

    Raises `UserError` INPUT_INVALID where git cannot read the objects of both together.
    """
    if old.object_format != new.object_format:
        raise user_error(
            "INPUT_INVALID",
            "These runs cannot be compared: their repositories use different hashes "
            f"({old.object_format} and {new.object_format}).",
            "Compare the files of both workspaces with a program of your own.",
        )
    before, after = await asyncio.gather(old.now(), new.now())
    left_out = tuple(sorted({*before.left_out, *after.left_out}))
    git = seeing(new.git, old.git.git_dir / "objects")
    instead = after.checkpoint if before.checkpoint is None else before.checkpoint
    return await Comparison.between(git, before.tree, after.tree, left_out, instead)


async def write_comparison(compared: Comparison, file: BinaryIO, paths: Sequence[str] = ()) -> None:
    """Write the unified diff of a comparison, of all or some files, into an open file.

    Raises `UserError` PATCH_TOO_LARGE.
    """
    try:
        await patches.write_diff(compared.git, (compared.old, compared.new), paths, file)
    except OSError as error:
        raise os_failure(error) from error
