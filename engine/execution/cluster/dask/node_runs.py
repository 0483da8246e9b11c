"""The runs of a node as a whole: how many there are, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine.execution.cluster.messages import NodeRun
from engine.execution.cluster.node.service import NodeService


class NodeRuns:
    """The runs of all homes on this node."""

    def __init__(self, service: NodeService) -> None:
        self._service = service

    async def at_work(self) -> Sequence[NodeRun]:
        """Return the runs with living processes."""
        return await asyncio.to_thread(self._service.admission.runs)

    def refuse_new(self) -> None:
        """Take no more runs; those at work go on to their next step."""
        self._service.admission.slots = 0

    async def end(self) -> None:
        """Return once no process of a run is left; to be called without a lease."""
        await self._service.end_runs()
