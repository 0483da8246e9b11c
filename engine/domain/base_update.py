"""A workspace moved onto a newer commit of its base."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from engine.domain.record import record


class UpdatePhase(StrEnum):
    """The state of an update; `checked` after each attempt that is to resolve its conflicts."""

    UPDATED = "updated"
    CHECKED = "checked"
    UNDONE = "undone"


@record
class WorkspaceUpdated:
    """The workspace was moved from one commit of its base to another, or back.

    `base` is the name of the base, `old` and `new` are its commits, `commits` is the number of
    those between. `checkpoint` has the workspace as it was before. `conflicts` are the files that
    the agent has to resolve, or still has to. `head` is the commit that the workspace had checked
    out before, and `new_head` the one since; both are empty where it has none of its own.
    """

    type: ClassVar[str] = "update"
    phase: UpdatePhase
    base: str
    old: str
    new: str
    checkpoint: int
    files: int = 0
    commits: int = 0
    conflicts: tuple[str, ...] = ()
    head: str = ""
    new_head: str = ""
