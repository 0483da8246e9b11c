"""A cluster whose nodes are folders: real attempts, without a scheduler."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from folder_executor import FolderExecutor
from known_cluster import node_facts

from engine.domain.errors import UserError, user_error
from engine.domain.node import NodeCondition
from engine.execution.cluster.cluster import NodeState


class FolderCluster:
    """Nodes by name with their slots; a test sets their conditions."""

    def __init__(self, root: Path, **slots: int) -> None:
        self.slots = slots
        self.nodes_of = {name: FolderExecutor(root / name, name) for name in slots}
        self.conditions = dict.fromkeys(slots, NodeCondition.READY)
        self.is_reachable = True

    def executor(self, node: str) -> FolderExecutor:
        return self.nodes_of[node]

    async def nodes(self) -> Sequence[NodeState]:
        if not self.is_reachable:
            raise self.unreachable
        return [NodeState(name, self.condition(name), node_facts(name)) for name in self.slots]

    @property
    def unreachable(self) -> UserError:
        return user_error("CLUSTER_UNREACHABLE")

    def free_slots(self) -> Mapping[str, int]:
        return {
            name: slots - len(self.runs_seen(name))
            for name, slots in self.slots.items()
            if self.condition(name) is NodeCondition.READY
        }

    def shown(self) -> Mapping[str, int]:
        return {}

    def runs_seen(self, node: str) -> Collection[str]:
        started = self.nodes_of[node].started.items()
        return {ref.run for ref, attempt in started if attempt.end() is None}

    def condition(self, node: str) -> NodeCondition:
        return self.conditions.get(node, NodeCondition.UNREACHABLE)

    def silent_since(self, node: str) -> float:
        del node
        return 0.0

    async def refresh(self) -> None:
        return

    async def close(self) -> None:
        return

    def end_all(self) -> None:
        """End all that is at work on the nodes."""
        for node in self.nodes_of.values():
            node.end_all()
