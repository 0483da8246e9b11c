"""Words for the distance of a run from the newest commit of its base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.terminal.cells import clean

if TYPE_CHECKING:
    from engine.engine import CommitsBehind

MANY = 9999
"""More commits than this are not counted."""


def behind(found: CommitsBehind) -> str:
    """Return how far a workspace is behind its base; empty where it is not."""
    base = clean(found.base, 60)
    if found.is_rewritten:
        return f"{base} was rewritten"
    if not found.commits:
        return ""
    count = f"{found.commits}{'+' if found.commits >= MANY else ''}"
    return f"{count} commit{'' if found.commits == 1 else 's'} behind {base}"
