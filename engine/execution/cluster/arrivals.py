"""Checks of what a node sends: no more than is announced, and than this disk has room for."""

from __future__ import annotations

from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.domain.text import printable_name, size
from engine.system import reserve
from engine.system.files import free_bytes


def check_room(folder: Path | int, node: str, what: str, size_bytes: int) -> None:
    """Raise `UserError` where a disk has no room for `what` and for the reserve of the database.

    `folder` is a folder or an open file there. Blocking.
    """
    free = free_bytes(folder)
    room = free - min(reserve.SIZE_BYTES, free // reserve.SHARE)
    if size_bytes > room:
        said = f"{what} of the node {printable_name(node)} take {size(size_bytes)}, "
        # Not DISK_FULL, which holds up the queue: it is the node that names a size.
        raise user_error(
            "NODE_FAILED",
            f"{said}and only {size(max(0, room))} are free here.",
            "Free some space on this machine, then retry.",
        )


def incomplete(node: str, what: str) -> UserError:
    """Return the error of a node that sent less than it announced."""
    return user_error(
        "NODE_FAILED", f"The node {printable_name(node)} did not send all of {what}.", "Try again."
    )
