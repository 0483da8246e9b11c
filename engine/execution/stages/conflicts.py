"""The check for conflict markers that an agent was asked to resolve."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from engine.domain.base_update import UpdatePhase
from engine.domain.errors import UserError
from engine.domain.events import Body, Notice
from engine.domain.hosts import local_path
from engine.domain.model import Run
from engine.domain.text import printable_name

SHOWN = 5


async def checked_conflicts(run: Run) -> list[Body]:
    """Return events on the conflicts of a run's last update: those that still have markers."""
    from engine.workspaces.apply.conflict_files import marked

    last = run.updated
    if last is None or not last.conflicts or run.workspace is None:
        return []
    try:
        root = local_path(run.workspace)
        paths = [path.encode("utf-8", "surrogateescape") for path in last.conflicts]
        left = await asyncio.to_thread(marked, root, paths)
    except (UserError, OSError) as error:
        return [Notice("warning", f"the conflicts could not be checked: {error}")]
    names = tuple(printable_name(path.decode("utf-8", "surrogateescape")) for path in left)
    event = replace(last, phase=UpdatePhase.CHECKED, conflicts=names)
    if not names:
        return [event]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    words = f"conflict markers are left in {', '.join(names[:SHOWN])}{more}"
    return [event, Notice("warning", words)]
