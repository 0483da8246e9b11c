"""The watcher of a node's workspaces: it sees no single file, so checkpoints come at intervals."""

from __future__ import annotations

import asyncio
import time

INTERVAL_S = 30.0
"""So often a workspace counts as changed: a checkpoint finds out whether it is."""


class NodeWatcher:
    """Watcher of workspaces that are not on this machine."""

    def seen(self, run: str) -> int:
        """Return a number that grows with time."""
        return int(time.monotonic() / INTERVAL_S)

    def watch(self, run: str, root: str) -> None:
        """Watch nothing: what changes is found by checkpoints."""

    def forget(self, run: str) -> None:
        """Watch nothing any longer."""

    async def run(self) -> None:
        """Wait until cancelled."""
        await asyncio.Event().wait()
