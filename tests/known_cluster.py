"""A cluster whose nodes a test sets, in the place of one behind a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from engine.domain.errors import UserError
from engine.domain.node import NodeCondition
from engine.execution.cluster.cluster import NodeState
from engine.execution.cluster.messages import PROTOCOL, NodeFacts, NodeRun

SCHEDULER = "tls://192.0.2.7:8786"
GIB = 1024**3


def node_facts(name: str, *runs: str, **more: Any) -> NodeFacts:
    """The facts of a node with 8 slots on which these runs of this home are at work."""
    said: dict[str, Any] = {
        "protocol": PROTOCOL,
        "version": "0.1.0",
        "root": "/srv/swarm",
        "slots": 8,
        "runs": tuple(NodeRun("home", run) for run in runs),
        "load": 2.0,
        "processors": 4,
        "memory_bytes": 12 * GIB,
        "disk_bytes": 84 * GIB,
        "agent_version": "0.171.0",
        "login": "ok",
    }
    return NodeFacts(name=name, **{**said, **more})


def ready(name: str, *runs: str, **more: Any) -> NodeState:
    """A node that answers."""
    return NodeState(name, NodeCondition.READY, node_facts(name, *runs, **more))


def unreachable(name: str, after_s: float = 14.0) -> NodeState:
    """A node that has not answered for a while."""
    return NodeState(name, NodeCondition.UNREACHABLE, None, after_s)


class KnownCluster:
    """A cluster of the nodes in `states`; with `error` the scheduler cannot be reached."""

    def __init__(self, *states: NodeState) -> None:
        self.states: Sequence[NodeState] = states
        self.error: UserError | None = None
        self.is_silent = False
        self.calls = 0

    def connected(self, services: object = None) -> KnownCluster:
        """Stand in for the method of the services that connects."""
        del services
        return self

    def executor(self, node: str) -> NoReturn:
        raise AssertionError(node)

    async def nodes(self) -> Sequence[NodeState]:
        self.calls += 1
        if self.is_silent:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        return self.states

    def free_slots(self) -> Mapping[str, int]:
        return {}

    def runs_seen(self, node: str) -> Collection[str]:
        del node
        return ()

    def shown(self) -> Mapping[str, int]:
        return {}

    def condition(self, node: str) -> NodeCondition:
        found = [state.condition for state in self.states if state.name == node]
        return found[0] if found else NodeCondition.UNREACHABLE

    def silent_since(self, node: str) -> float:
        del node
        return 0.0

    async def refresh(self) -> None:
        return

    async def close(self) -> None:
        return
