"""The commits that runs start from, held in their sources as soon as the runs are queued."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.errors import UserError
from engine.domain.events import Notice
from engine.domain.model import Run
from engine.runs.journal import Journal


async def hold_bases(journal: Journal, runs: Sequence[Run]) -> None:
    """Hold the commits of runs; where that cannot be, they start from them without it."""
    pinned = [run for run in runs if run.spec.workspace.base_commit]
    if not pinned:
        return
    from engine.workspace import base

    try:
        await base.hold(pinned)
    except UserError as error:
        notice = Notice("warning", f"git may drop the base of this run: {error.message}")
        await journal.change_all([run.id for run in pinned], lambda _: [notice])
