"""Nodes of the cluster, as they were last seen, with the runs at work there."""

from __future__ import annotations

from enum import StrEnum

from engine.domain.model import ErrorInfo, Run
from engine.domain.record import record

READY_LOGIN = "ok"
"""The login of a node on which its agent can work."""


class NodeCondition(StrEnum):
    """Conditions of a node, as far as they decide what is done with its runs."""

    READY = "ready"
    UNREACHABLE = "unreachable"
    """A node that does not answer: its runs may be at work, and are waited for."""
    LOST = "lost"
    """A node whose lease has expired: it has ended its runs, and they may start elsewhere."""


@record
class NodeMachine:
    """Facts about a node's machine, as it reported them last."""

    seen_at: float
    """In seconds since 1970."""
    slots: int
    free_slots: int
    load: float
    """The load average of the last minute."""
    processors: int
    memory_bytes: int
    """Memory that is free."""
    disk_bytes: int
    """Room that is free where workspaces are."""
    version: str
    """The version of swarm-tui there."""
    agent_version: str
    """The version of the default agent; empty where there is none."""
    login: str
    """Reason why that agent is not ready there, or `ok`."""
    is_compatible: bool = True
    """True if it understands this version of swarm-tui."""
    accounts: tuple[str, ...] = ()
    """The accounts of its own settings."""
    other_runs: int = 0
    """Runs of other homes there."""

    @property
    def load_per_processor(self) -> float:
        """Return the load of one processor; 1.0: all are busy."""
        return self.load / max(1, self.processors)

    @property
    def is_logged_in(self) -> bool:
        """Return whether the agent can work there."""
        return self.login == READY_LOGIN

    @property
    def busy_slots(self) -> int:
        """Return the slots that are taken, by runs of any home."""
        return max(0, self.slots - self.free_slots)


@record
class NodeSummary:
    """A node; `machine` is None where it has not answered yet."""

    name: str
    condition: NodeCondition
    since: float | None = None
    """Since when it has not answered, in seconds since 1970; None while it does, or if unknown."""
    machine: NodeMachine | None = None
    runs: tuple[Run, ...] = ()
    """Runs of this home that are at work there."""

    @property
    def is_away(self) -> bool:
        """Return whether it does not answer, or is lost."""
        return self.condition is not NodeCondition.READY


@record
class ClusterSummary:
    """The cluster as it was last seen; with a `problem`, the scheduler cannot be asked."""

    scheduler: str
    """Address of the scheduler; empty where none is set."""
    nodes: tuple[NodeSummary, ...] = ()
    answered_at: float | None = None
    """Time of the scheduler's last answer, in seconds since 1970."""
    problem: ErrorInfo | None = None

    @property
    def away(self) -> tuple[NodeSummary, ...]:
        """Return the nodes that do not answer or are lost, with runs that are waited for."""
        return tuple(node for node in self.nodes if node.is_away and node.runs)
