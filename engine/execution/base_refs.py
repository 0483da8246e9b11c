"""The commits that runs start from, held in their sources as soon as the runs are queued."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.domain.errors import UserError
from engine.domain.events import Notice
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.execution.journal import Journal

_log = logging.getLogger(__name__)


async def hold_bases(journal: Journal, runs: Sequence[Run]) -> None:
    """Hold the commits of runs; where that cannot be, they start from them without it."""
    pinned = [run for run in runs if run.spec.workspace.base_commit]
    if not pinned:
        return
    from engine.workspaces.create import base

    try:
        await base.hold(pinned)
    except UserError as error:
        notice = Notice("warning", f"git may drop the base of this run: {error.message}")
        await journal.change_all([run.id for run in pinned], lambda _: [notice])


async def release_unused(runs: Iterable[Run]) -> int:
    """Release the commits of runs that ended before they had a workspace; return how many.

    The others are released when their workspace leaves the trash. A retry holds its commit again.
    """
    from engine.workspaces.create import base

    by_source: dict[str, set[str]] = {}
    for run in runs:
        wish = run.spec.workspace
        if run.status in FINISHED and not run.workspace and wish.base_commit and wish.source:
            by_source.setdefault(wish.source, set()).add(run.id)
    count = 0
    for source, ids in by_source.items():
        try:
            unused = sorted(ids & await base.held(Path(source)))
            if unused:
                await base.release(Path(source), *unused)
                count += len(unused)
        except UserError as error:  # the user may have damaged or locked the repository
            _log.warning("%s: bases stay held: %s", source, error.message)
    return count
