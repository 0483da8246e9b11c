"""The cluster of a home: its nodes as they were last seen, and an executor for each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from engine.domain.node import NodeCondition
from engine.domain.record import record
from engine.execution.cluster.messages import NodeFacts
from engine.execution.executor import Executor


@record
class NodeState:
    """A node as it was last seen; `facts` are None where it has not answered yet."""

    name: str
    condition: NodeCondition
    facts: NodeFacts | None = None
    unreachable_s: float = 0.0
    """For how long it has not answered, in seconds."""


class ClusterPort(Protocol):
    """The engine's view of the cluster."""

    def executor(self, node: str) -> Executor:
        """Return the executor of a node, which need not answer at the moment."""
        ...

    async def nodes(self) -> Sequence[NodeState]:
        """Return all nodes, asked now; raises `UserError` CLUSTER_UNREACHABLE."""
        ...

    def free_slots(self) -> Mapping[str, int]:
        """Return the free slots of the ready nodes, as last seen: no call, for every tick."""
        ...

    def runs_seen(self, node: str) -> Collection[str]:
        """Return the runs of this home that took slots of a node when it was last seen."""
        ...

    def condition(self, node: str) -> NodeCondition:
        """Return the condition of a node, as last seen; UNREACHABLE where it is not known."""
        ...

    async def refresh(self) -> None:
        """Ask for slots and leases again, for `free_slots` and `condition`; never raises."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...
