"""A cluster in one process: real nodes, real files and processes, and a network that can fail.

nodes = {"one": NodeService(tmp_path / "one", "one", 2)}
channel = FakeChannel(nodes)
channel.faults["one"].request_is_lost = True   # the node does not get what is sent
channel.faults["one"].answer_is_lost = True    # it does, but its answer is lost
channel.restart("one")                         # as after kill -9: a new service on its files
channel.cut_off("one")                         # both directions; its lease is no longer renewed
channel.expire("one")                          # its lease is over for certain, on both sides
channel.heal("one")                            # all is well again
channel.restart_scheduler()                    # it knows the nodes that reach it from then on
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.execution.cluster.channel import (
    LARGEST_BYTES,
    ChannelError,
    NodeLease,
    NodeMissingError,
)
from engine.execution.cluster.node.lease import now_s
from engine.execution.cluster.node.service import NodeService

LONG_AGO_S = 1_000_000.0


@dataclass
class Faults:
    """Faults between the client and one node."""

    request_is_lost: bool = False
    answer_is_lost: bool = False
    is_missing: bool = False
    """True if the node is not a member of the cluster: calls fail at once."""
    slow_s: float = 0.0
    """Time that a message takes."""
    gets_leases: bool = True
    """True if the node reaches the scheduler, which renews its lease."""
    lose_answers: int = 0
    """So many answers are lost from now on; the calls are carried out."""


class FakeChannel:
    """Calls to the nodes of this process; it implements `Channel`."""

    def __init__(self, nodes: Mapping[str, NodeService], *, is_patient: bool = False) -> None:
        self.nodes = dict(nodes)
        self.faults = {name: Faults() for name in nodes}
        self.is_patient = is_patient
        """True if a lost message takes as long as its limit; otherwise the call fails at once."""
        self.scheduler_is_down = False
        self.calls: list[str] = []
        """The nodes that were called, in order, lost messages included."""
        self.is_closed = False
        self._granted: dict[str, float] = {}
        self._scheduler_began = time.monotonic() - LONG_AGO_S
        for name in nodes:
            self.renew(name)

    async def call(
        self, node: str, message: bytes, limit_s: float, limit_bytes: int = LARGEST_BYTES
    ) -> bytes:
        """Return a node's answer to a message."""
        self.calls.append(node)
        faults = self.faults.get(node)
        if self.scheduler_is_down:
            await self._fail(limit_s, "the scheduler does not answer")
        if faults is None or faults.is_missing:
            raise NodeMissingError(f"{node} is not a member of the cluster")
        try:
            async with asyncio.timeout(limit_s):
                return await self._called(node, faults, message, limit_s)
        except TimeoutError as error:
            raise ChannelError(f"{node} does not answer") from error

    async def leases(self) -> Sequence[NodeLease]:
        """Return the leases as the scheduler knows them."""
        if self.scheduler_is_down:
            raise ChannelError("the scheduler does not answer")
        self.renew_all()
        now = time.monotonic()
        return [
            NodeLease(name, now - at, self.nodes[name].lease.lasts_s, self._is_member(name))
            for name, at in self._granted.items()
        ]

    async def scheduler_age_s(self) -> float:
        """Return for how long the scheduler has been running."""
        if self.scheduler_is_down:
            raise ChannelError("the scheduler does not answer")
        return time.monotonic() - self._scheduler_began

    async def close(self) -> None:
        """Close the channel; nodes go on."""
        self.is_closed = True

    # Faults

    def cut_off(self, node: str) -> None:
        """Cut a node off from the client and the scheduler."""
        self.faults[node].request_is_lost = True
        self.faults[node].gets_leases = False

    def heal(self, node: str) -> None:
        """Repair all of a node's faults."""
        self.faults[node] = Faults()
        self.renew(node)

    def restart(self, node: str) -> NodeService:
        """Replace a node's service by one that knows only its files."""
        old = self.nodes[node]
        old.close()
        new = NodeService(old.root, old.name, old.slots, old.lease.lasts_s)
        self.nodes[node] = new
        return new

    def restart_scheduler(self, age_s: float = 0.0) -> None:
        """Clear the scheduler's memory; `age_s` is how long it reports to have been running."""
        self.scheduler_is_down = False
        self._scheduler_began = time.monotonic() - age_s
        self._granted.clear()

    def expire(self, node: str) -> None:
        """End a node's lease, long ago for the scheduler."""
        self.cut_off(node)
        self.nodes[node].lease.end()
        if node in self._granted:
            self._granted[node] -= LONG_AGO_S

    def renew(self, node: str) -> None:
        """Renew a node's lease, if it reaches the scheduler."""
        if self.faults[node].gets_leases and not self.scheduler_is_down:
            self.nodes[node].lease.renew(now_s())
            self._granted[node] = time.monotonic()

    def renew_all(self) -> None:
        """Renew the leases of all nodes that reach the scheduler."""
        for node in self.nodes:
            self.renew(node)

    def close_nodes(self) -> None:
        """Release the attempts of all nodes, at the end of a test."""
        for service in self.nodes.values():
            service.close()

    async def _called(self, node: str, faults: Faults, message: bytes, limit_s: float) -> bytes:
        await asyncio.sleep(faults.slow_s)
        if faults.request_is_lost:
            await self._fail(limit_s, f"{node} does not answer")
        self.renew(node)
        answer = await self.nodes[node].handle(message)
        if faults.lose_answers:
            faults.lose_answers -= 1
            await self._fail(limit_s, f"{node} does not answer")
        if faults.answer_is_lost:
            await self._fail(limit_s, f"{node} does not answer")
        return answer

    async def _fail(self, limit_s: float, reason: str) -> None:
        if self.is_patient:
            await asyncio.sleep(limit_s)
        raise ChannelError(reason)

    def _is_member(self, node: str) -> bool:
        faults = self.faults[node]
        return faults.gets_leases and not faults.is_missing
