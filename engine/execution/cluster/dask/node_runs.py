"""The runs of a node as a whole: how many there are, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from engine.domain.errors import UserError
from engine.execution.cluster.messages import EndLiving, ListLiving, Message, NodeRun, pack, unpack
from engine.execution.cluster.node.home import HOMES
from engine.execution.cluster.node.service import NodeService

Answer = TypeVar("Answer")
GUARDS_S = 5.0
"""How long the guards of attempts have to end them once the lease is over."""
POLL_S = 0.2
GRACE_S = 2.0


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
        """Return once no process of a run is left; to be called without a lease.

        The guards of attempts end them and note why. Processes that they leave are killed.
        """
        deadline = asyncio.get_running_loop().time() + GUARDS_S
        while await self.at_work():
            if asyncio.get_running_loop().time() > deadline:
                await self._kill()
            await asyncio.sleep(POLL_S)

    async def _kill(self) -> None:
        for home in await asyncio.to_thread(_homes, self._service.root):
            for living in await self._ask(home, ListLiving()) or ():
                await self._ask(home, EndLiving(living=living, grace_s=GRACE_S))

    async def _ask(self, home: str, message: Message[Answer]) -> Answer | None:
        data = await self._service.handle(pack(home, message))
        try:
            return unpack(data, message)
        except (UserError, OSError):
            return None  # it is tried again


def _homes(root: Path) -> Sequence[str]:
    try:
        return sorted(path.name for path in (root / HOMES).iterdir())
    except FileNotFoundError:
        return ()
