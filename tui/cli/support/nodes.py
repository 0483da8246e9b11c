"""The cluster as the command and the API ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.domain.errors import user_error

if TYPE_CHECKING:
    from engine.domain.node import ClusterSummary
    from engine.ports.engine import EnginePort


async def ask_cluster(engine: EnginePort) -> ClusterSummary:
    """Ask the cluster now; raises `UserError` CLUSTER_NOT_SET with the line to add."""
    if not engine.cluster.is_set:
        recovery = (
            "Add `cluster: {scheduler: 'tls://HOST:8786'}` to the settings"
            " (`swarm-tui config edit`), or try one on this machine: `swarm-tui cluster up`."
        )
        raise user_error("CLUSTER_NOT_SET", recovery=recovery)
    return await engine.cluster.refresh()


def check_answered(found: ClusterSummary) -> None:
    """Raise the reason as a `UserError` where the cluster could not be asked."""
    if problem := found.problem:
        raise user_error(problem.code, problem.message, problem.recovery)
