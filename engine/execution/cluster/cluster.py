"""The cluster of a home: its nodes as they were last seen, and an executor for each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, cast, runtime_checkable

from engine.config.paths import Paths
from engine.domain.errors import UserError, user_error
from engine.domain.node import NodeCondition
from engine.domain.record import record
from engine.domain.text import printable
from engine.execution.cluster.calls import PATIENCE_S, NodeCalls
from engine.execution.cluster.channel import MARGIN_S, SAFETY, Channel, ChannelError, NodeLease
from engine.execution.cluster.executor import NodeExecutor
from engine.execution.cluster.home_id import home_id
from engine.execution.cluster.messages import Hello, InspectNode, NodeFacts
from engine.execution.cluster.node_book import NodeBook
from engine.execution.cluster.workspaces import NodeWorkspaces
from engine.execution.executor import Executor
from engine.execution.host_workspaces import HostWorkspaces


@record
class NodeState:
    """A node as it was last seen; `facts` are None where it has not answered yet."""

    name: str
    condition: NodeCondition
    facts: NodeFacts | None = None
    unreachable_s: float = 0.0
    """For how long it has not answered, in seconds."""


@runtime_checkable
class Settling(Protocol):
    """The workspaces of a node that removes what it could not before."""

    async def settle(self) -> None:
        """Remove it; raises `UserError` and OSError."""
        ...


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

    def silent_since(self, node: str) -> float:
        """Return since when a node that is not ready does not answer, in seconds since 1970."""
        ...

    def shown(self) -> Mapping[str, int]:
        """Return the checkpoints that were shown of runs whose node did not answer."""
        ...

    async def refresh(self) -> None:
        """Ask for slots and leases again, for `free_slots` and `condition`; never raises."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


ASK_S = 3.0
"""Longest wait for a node to report its slots."""
INSPECT_S = 9.0
"""Longest wait for a node to report its state; it may have to ask its agent."""
SCHEDULER_S = 5.0
WHY_CHARACTERS = 300
LOOK_S = 1.0
"""The shortest time between two questions about leases."""
FRESH_S = 10.0
"""For how long an answer of a node shows that it can be reached."""
SETTLE_S = 30.0
"""Time between two requests to a node that answers to remove what it could not before."""
MakeWorkspaces = Callable[[Paths, str, NodeCalls], HostWorkspaces]
_log = logging.getLogger(__name__)


class KnownNode:
    """A node as this process knows it; its calls report to it."""

    def __init__(self, name: str, look: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.lease: NodeLease | None = None
        self.free_slots = 0
        self.runs: Collection[str] = ()
        """The runs of this home that were at work there."""
        self.condition = NodeCondition.UNREACHABLE
        self.silent_since = time.monotonic()
        self.silent_at = round(time.time())
        """The same on the clock of the wall."""
        self.facts: NodeFacts | None = None
        self.settles_at = 0.0
        self._look = look
        self._answered_at = -FRESH_S

    @property
    def is_lost(self) -> bool:
        """True once its lease has run out for sure; until it has one again."""
        return self.condition is NodeCondition.LOST

    @property
    def is_silent(self) -> bool:
        """True unless it has answered lately."""
        return time.monotonic() > self._answered_at + FRESH_S

    def answered(self) -> None:
        """Take note that it has answered."""
        self._answered_at = time.monotonic()
        if not self.is_lost:  # it has a lease again first
            self.turn(NodeCondition.READY)

    async def failed(self) -> None:
        """Take note that it has not answered, and look at its lease."""
        self._answered_at = -FRESH_S
        if not self.is_lost:
            self.turn(NodeCondition.UNREACHABLE)
        with suppress(TimeoutError):  # the scheduler does not answer either
            async with asyncio.timeout(LOOK_S):
                await self._look()

    def turn(self, condition: NodeCondition) -> None:
        """Change its condition."""
        if condition is self.condition:
            return
        if self.condition is NodeCondition.READY:
            self.silent_since, self.silent_at = time.monotonic(), round(time.time())
        self.condition = condition

    def judge(self, *, has_expired: bool) -> None:
        """Take note of its lease, as it is now."""
        if has_expired:
            self.turn(NodeCondition.LOST)
        elif self.is_lost:
            self.turn(NodeCondition.UNREACHABLE)  # until it answers

    def state(self, facts: NodeFacts | None) -> NodeState:
        """Return it as the port has it."""
        is_ready = self.condition is NodeCondition.READY
        silent_s = 0.0 if is_ready else time.monotonic() - self.silent_since
        return NodeState(self.name, self.condition, facts or self.facts, silent_s)


class Cluster:
    """The cluster behind a channel; `patience_s` is how long a call waits for a silent node."""

    def __init__(
        self,
        paths: Paths,
        channel: Channel,
        patience_s: float = PATIENCE_S,
        scheduler: str = "",
        make_workspaces: MakeWorkspaces | None = None,
    ) -> None:
        self._paths = paths
        self._channel = channel
        self._patience_s = patience_s
        self._make_workspaces = make_workspaces or _node_workspaces
        self._book = NodeBook(paths, scheduler)
        self._nodes: dict[str, KnownNode] = {}
        self._executors: dict[str, NodeExecutor] = {}
        self._shown: dict[str, int] = {}
        self._home: str | None = None
        self._settlings: set[asyncio.Task[None]] = set()
        self._looking = asyncio.Lock()
        self._looked_at = -LOOK_S

    def executor(self, node: str) -> Executor:
        """Return the executor of a node, which need not answer at the moment."""
        if node not in self._executors:
            calls = self._calls(node)
            calls.shown = self._shown
            workspaces = self._make_workspaces(self._paths, node, calls)
            self._executors[node] = NodeExecutor(calls, workspaces)
        return self._executors[node]

    async def nodes(self) -> Sequence[NodeState]:
        """Return all nodes, asked now; raises `UserError` CLUSTER_UNREACHABLE."""
        try:
            await self._update(await self._leases())
        except ChannelError as error:
            why = printable(str(error), WHY_CHARACTERS)
            message = f"The scheduler of the cluster cannot be reached: {why}."
            raise user_error("CLUSTER_UNREACHABLE", message) from error
        known = [node for node in self._nodes.values() if node.lease]
        facts = await asyncio.gather(*(self._inspected(node) for node in known))
        return [node.state(found) for node, found in zip(known, facts, strict=True)]

    def free_slots(self) -> Mapping[str, int]:
        """Return the free slots of the ready nodes, as last seen."""
        return {
            node.name: node.free_slots
            for node in self._nodes.values()
            if node.condition is NodeCondition.READY and node.lease
        }

    def runs_seen(self, node: str) -> Collection[str]:
        """Return the runs of this home that took slots of a node when it was last seen."""
        return self._node(node).runs

    def condition(self, node: str) -> NodeCondition:
        """Return the condition of a node, as last seen; UNREACHABLE where it is not known."""
        return self._node(node).condition

    def silent_since(self, node: str) -> float:
        """Return since when a node that is not ready does not answer, in seconds since 1970."""
        return self._node(node).silent_at

    def shown(self) -> Mapping[str, int]:
        """Return the checkpoints that were shown of runs whose node did not answer."""
        return self._shown

    async def refresh(self) -> None:
        """Ask for slots and leases again; never raises."""
        try:
            await self._update(await self._leases())
        except ChannelError as error:
            _log.info("the scheduler of the cluster does not answer: %s", error)
        for node in self._nodes.values():
            if node.is_silent and node.condition is NodeCondition.READY:
                node.turn(NodeCondition.UNREACHABLE)
        members = [node for node in self._nodes.values() if _is_member(node)]
        await asyncio.gather(*(self._ask_slots(node) for node in members))

    async def close(self) -> None:
        """Close the connection."""
        for executor in self._executors.values():
            executor.close()
        for task in self._settlings:
            task.cancel()
        await self._channel.close()

    # Leases

    async def _look(self) -> None:
        """Look at the leases after a call without an answer, not too often; never raises."""
        async with self._looking:
            if time.monotonic() < self._looked_at + LOOK_S:
                return
            self._looked_at = time.monotonic()
            try:
                await self._update(await self._leases())
            except ChannelError as error:
                _log.info("the scheduler of the cluster does not answer: %s", error)

    async def _leases(self) -> tuple[Sequence[NodeLease], float]:
        """Return the leases, and how long the scheduler has been running; raises `ChannelError`."""
        try:
            async with asyncio.timeout(SCHEDULER_S):
                leases = await self._channel.leases()
                # Then its age: a scheduler that starts between the two answers is young.
                return leases, await self._channel.scheduler_age_s()
        except TimeoutError as error:
            raise ChannelError("the scheduler does not answer") from error

    async def _update(self, found: tuple[Sequence[NodeLease], float]) -> None:
        leases, age_s = {one.node: one for one in found[0]}, found[1]
        await asyncio.to_thread(self._book.note, found[0])
        for name, lease in leases.items():
            node = self._node(name)
            node.lease = lease
            node.judge(has_expired=lease.has_expired)
        for name, node in self._nodes.items():
            if name not in leases:
                # The scheduler knows nothing of a lease that one before it gave.
                node.judge(has_expired=age_s > self._book.lasts_s(name) * SAFETY + MARGIN_S)

    # Nodes

    def _node(self, name: str) -> KnownNode:
        if name not in self._nodes:
            self._nodes[name] = KnownNode(name, self._look)
        return self._nodes[name]

    def _calls(self, name: str) -> NodeCalls:
        return NodeCalls(self._channel, name, self._home_id, self._node(name), self._patience_s)

    async def _home_id(self) -> str:
        if self._home is None:
            self._home = await asyncio.to_thread(home_id, self._paths)
        return self._home

    async def _ask_slots(self, node: KnownNode) -> None:
        try:
            answer = await self._calls(node.name).call(Hello(), try_s=ASK_S, patience_s=0.0)
        except (UserError, OSError) as error:
            _log.info("the node %s does not report its slots: %s", node.name, error)
            node.free_slots = 0
        else:
            node.free_slots, node.runs = answer.free_slots, frozenset(answer.runs)
            self._settle(node)

    def _settle(self, node: KnownNode) -> None:
        """Start the removal, in the background, of what was to be removed while it was away."""
        workspaces = self.executor(node.name).workspaces
        if time.monotonic() < node.settles_at or not isinstance(workspaces, Settling):
            return
        node.settles_at = time.monotonic() + SETTLE_S
        task = asyncio.create_task(_settled(node.name, workspaces))
        self._settlings.add(task)
        task.add_done_callback(self._settlings.discard)

    async def _inspected(self, node: KnownNode) -> NodeFacts | None:
        if not _is_member(node):
            return None
        try:
            calls = self._calls(node.name)
            node.facts = await calls.call(InspectNode(), try_s=INSPECT_S, patience_s=0.0)
        except (UserError, OSError) as error:
            _log.info("the node %s does not report its state: %s", node.name, error)
            return None
        return node.facts


async def _settled(name: str, workspaces: Settling) -> None:
    try:
        await workspaces.settle()
    except (UserError, OSError) as error:
        _log.info("the node %s keeps what is to be removed: %s", name, error)


def _is_member(node: KnownNode) -> bool:
    return node.lease is not None and node.lease.is_member and not node.is_lost


def _node_workspaces(paths: Paths, node: str, calls: NodeCalls) -> HostWorkspaces:
    return cast("HostWorkspaces", NodeWorkspaces(paths, node, calls))
