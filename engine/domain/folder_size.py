"""The size of a folder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FolderSize:
    """The size of a folder, so far or in all; a file with several names in it counts once."""

    disk: int = 0
    """Bytes on disk."""
    apparent: int = 0
    """Apparent bytes of the files."""
    rebuildable: int = 0
    """Bytes on disk below folders that can be made again: `node_modules` and the like."""
    entries: int = 0
    newest: float = 0.0
    """Time at which a file that cannot be made again was last changed."""
    unread: int = 0
    """Folders that could not be looked into."""
