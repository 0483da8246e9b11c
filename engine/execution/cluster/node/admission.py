"""Slots of a node: how many runs may be at work there, over all homes.

The runs at work are those with living processes, so that a node that was started again counts the
same.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.execution.cluster.messages import NodeRun
from engine.execution.cluster.node.home import HOMES
from engine.execution.local import process_marks

if TYPE_CHECKING:
    from engine.execution.cluster.node.service import NodeService

_RUNS = "runs"
_DEPTH = 4
"""Parts of a mark below the folder of homes: the home, `runs`, the run, the attempt."""


class Admission:
    """The slots of a node."""

    def __init__(self, service: NodeService, slots: int) -> None:
        self.slots = slots
        self._root = service.root
        self._spare = service.spare
        self._lock = asyncio.Lock()

    def runs(self) -> list[NodeRun]:
        """Return the runs with living processes, of all homes. Blocking."""
        found: dict[NodeRun, None] = {}
        homes = Path(os.path.realpath(self._root / HOMES))
        for value, pids in process_marks.marks().items():
            if run := _run_of(value, homes):
                if all(process_marks.has_word(pid, self._spare) for pid in pids):
                    continue
                found[run] = None
        return sorted(found, key=lambda one: (one.home, one.run))

    @asynccontextmanager
    async def slot(self, run: NodeRun) -> AsyncGenerator[bool]:
        """Hold the slots while a run is started; False: there is none for it."""
        async with self._lock:
            busy = await asyncio.to_thread(self.runs)
            yield run in busy or len(busy) < self.slots


def _run_of(mark: str, homes: Path) -> NodeRun | None:
    try:
        parts = Path(mark).relative_to(homes).parts
    except ValueError:
        return None
    if len(parts) < _DEPTH or parts[1] != _RUNS:
        return None
    return NodeRun(parts[0], parts[2])
