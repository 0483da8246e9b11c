"""Nodes of the cluster with the runs of this home there, for all faces."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.config.settings import Config
from engine.domain.errors import UserError, user_error
from engine.domain.hosts import host_of
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import ANY_NODE, LOCAL, ErrorInfo, Run
from engine.domain.node import ClusterSummary, NodeCondition, NodeMachine, NodeSummary
from engine.domain.placement import NodePlaces
from engine.store.store import Store

if TYPE_CHECKING:
    from engine.execution.cluster.cluster import ClusterPort, NodeState

LIMIT_S = 10.0
"""Seconds after which the scheduler counts as unreachable."""
FOLLOW_S = 5.0
"""Seconds from one question to the next, while the cluster is followed."""


class ClusterNodes:
    """The cluster as it was last seen. `connect` returns it without a connection yet."""

    def __init__(
        self,
        config: Config,
        store: Store,
        connect: Callable[[], ClusterPort],
        clock: Callable[[], float] = time.time,
        places: Callable[[], NodePlaces] = NodePlaces,
    ) -> None:
        self._config = config
        self._store = store
        self._connect = connect
        self._places = places
        self._clock = clock
        self._last = ClusterSummary(config.cluster.scheduler or "")

    @property
    def is_set(self) -> bool:
        """Return whether the settings name a cluster."""
        return bool(self._config.cluster.scheduler)

    @property
    def last(self) -> ClusterSummary:
        """Return the cluster as it was last seen, without a wait."""
        return self._last

    @property
    def places(self) -> NodePlaces:
        """Return the places for runs there, as the supervising engine saw them last."""
        return self._places()

    async def refresh(self) -> ClusterSummary:
        """Ask the cluster now, for a few seconds at most."""
        runs = _by_host(await self._store.runs(statuses=ACTIVE))
        now = self._clock()
        try:
            found = await self._ask()
        except UserError as error:
            self._last = self._without_answer(runs, error.info)
        else:
            known = {node.name: node for node in self._last.nodes}
            nodes = [self._summary(state, known.get(state.name), runs, now) for state in found]
            nodes += self._missing(runs, {node.name for node in nodes})
            self._last = ClusterSummary(self._last.scheduler, _sorted(nodes), now)
        return self._last

    async def follow(self, changed: Callable[[ClusterSummary], None]) -> None:
        """Ask the cluster from time to time, and call `changed` with what is new."""
        while True:
            before = self._last
            if await self.refresh() != before:
                changed(self._last)
            await asyncio.sleep(FOLLOW_S)

    async def _ask(self) -> Sequence[NodeState]:
        """Return the answer of the nodes; raises `UserError`, at the latest after `LIMIT_S`."""
        if not self.is_set:
            raise user_error("CLUSTER_NOT_SET")
        cluster = self._connect()
        with suppress(TimeoutError):  # the error below names it
            async with asyncio.timeout(LIMIT_S):
                return await cluster.nodes()
        message = f"The scheduler of the cluster did not answer within {LIMIT_S:.0f} seconds."
        raise user_error("CLUSTER_UNREACHABLE", message)

    def _without_answer(self, runs: Mapping[str, Sequence[Run]], why: ErrorInfo) -> ClusterSummary:
        """Return the nodes as they were last seen, with the runs of now."""
        known = {node.name: node for node in self._last.nodes}
        nodes = [
            NodeSummary(
                name, self._condition(name), node.since, node.machine, tuple(runs.get(name, ()))
            )
            for name, node in known.items()
        ]
        nodes += self._missing(runs, set(known))
        last = self._last
        return ClusterSummary(last.scheduler, _sorted(nodes), last.answered_at, why)

    def _missing(self, runs: Mapping[str, Sequence[Run]], known: set[str]) -> list[NodeSummary]:
        """Return the nodes of runs that the scheduler does not know."""
        names = runs.keys() - known
        return [NodeSummary(name, self._condition(name), runs=tuple(runs[name])) for name in names]

    def _condition(self, node: str) -> NodeCondition:
        """Return the condition of a node, as last seen."""
        try:
            return self._connect().condition(node)
        except UserError:  # cluster support is not installed, or a certificate is missing
            return NodeCondition.UNREACHABLE

    @staticmethod
    def _summary(
        state: NodeState,
        before: NodeSummary | None,
        runs: Mapping[str, Sequence[Run]],
        now: float,
    ) -> NodeSummary:
        here = tuple(runs.get(state.name, ()))
        machine = _machine(state, here, now - state.unreachable_s) or (
            before.machine if before else None
        )
        is_away = state.condition is not NodeCondition.READY
        since = round(now - state.unreachable_s) if is_away else None
        return NodeSummary(state.name, state.condition, since, machine, here)


def _machine(state: NodeState, runs: Sequence[Run], seen_at: float) -> NodeMachine | None:
    """Return the facts that a node reported last."""
    from engine.execution.cluster.messages import PROTOCOL

    facts = state.facts
    if facts is None:
        return None
    ours = {run.id for run in runs}
    return NodeMachine(
        seen_at=seen_at,
        slots=facts.slots,
        free_slots=max(0, facts.slots - len(facts.runs)),
        load=facts.load,
        processors=facts.processors,
        memory_bytes=facts.memory_bytes,
        disk_bytes=facts.disk_bytes,
        version=facts.version,
        agent_version=facts.agent_version,
        login=facts.login,
        is_compatible=facts.protocol == PROTOCOL,
        accounts=facts.accounts,
        other_runs=sum(run.run not in ours for run in facts.runs),
    )


def _by_host(runs: Sequence[Run]) -> Mapping[str, Sequence[Run]]:
    """Return the runs on other machines, the oldest first, by the name of the machine."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in reversed(runs):
        if (host := host_of(run)) not in (LOCAL, ANY_NODE):
            found[host].append(run)
    return found


def _sorted(nodes: Sequence[NodeSummary]) -> tuple[NodeSummary, ...]:
    return tuple(sorted(nodes, key=lambda node: node.name))
