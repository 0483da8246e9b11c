"""The lines that runs change, read for the overlaps between them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from engine.domain.errors import UserError

if TYPE_CHECKING:
    from engine.domain.changed_lines import ChangedLines
    from engine.domain.projection import View
    from engine.workspaces.service import Workspaces

AT_ONCE = 30
"""The number of runs that one call reads."""


async def learn_lines(view: View, workspaces: Workspaces) -> set[str]:
    """Read the lines of runs that may overlap; return the runs whose overlaps changed."""
    changed = set[str]()
    for run, (checkpoint, paths) in list(view.radar.candidates().items())[:AT_ONCE]:
        lines: ChangedLines = {}
        with suppress(UserError):  # without its lines, no overlap is claimed
            lines = await workspaces.changed_lines(run, checkpoint, paths)
        changed |= view.learn_lines(run, checkpoint, lines)
    return changed
