"""Damage of checkpoint stores, distinguished from a git that fails for a moment."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.model import BASELINE
from engine.domain.transient import from_message
from engine.workspaces.checkpoints.checkpoint_refs import REFS
from engine.workspaces.git.git import Git


def unknown_changes(folder: Path) -> Exception:
    """Return the error for a run without a baseline: the store is damaged, or there is none."""
    if not folder.is_dir():
        return user_error("CHANGES_UNKNOWN")
    message = "The changes of this run are unknown: the store of its checkpoints is damaged."
    return user_error("CHANGES_UNKNOWN", message)


@asynccontextmanager
async def damage_named(git: Git) -> AsyncGenerator[None]:
    """Raise CHANGES_UNKNOWN instead of an error of git where objects of the baseline are lost."""
    try:
        yield
    except UserError as error:
        if error.entry.may_be_damage and await is_damaged(git):
            raise unknown_changes(git.git_dir) from error
        raise


async def is_damaged(git: Git) -> bool:
    """Return whether git reports an object of the baseline as missing or broken."""
    answer = await git.ask("rev-list", "--objects", "--quiet", f"{REFS}/{BASELINE}")
    # A git that met a condition that passes proves nothing about the store.
    is_told = answer.complaint.startswith(("fatal:", "error:"))
    return bool(answer.code) and is_told and from_message(answer.complaint) is None
