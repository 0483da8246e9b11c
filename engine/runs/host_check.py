"""The check of the machine that a run is requested for."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.domain.errors import UserError, user_error
from engine.domain.hosts import check_host
from engine.domain.model import ANY_NODE
from engine.domain.nearest import hint
from engine.domain.text import printable_name

if TYPE_CHECKING:
    from engine.execution.cluster.cluster import ClusterPort
    from engine.lazy_services import LazyServices

ASK_S = 5.0
"""How long the cluster may take to list its nodes; afterwards the run waits for its node."""


async def check_requested_host(host: str, services: LazyServices) -> None:
    """Check that a machine can have runs; raises `UserError`.

    A node that cannot be asked about at the moment is waited for.
    """
    check_host(host)
    places = services.machines.places(services.config)
    if not places.is_node(host):
        return
    cluster = services.require_cluster()
    if host == ANY_NODE or host in places.free:
        return
    names = await _names(cluster)
    if names is not None and host not in names:
        message = f"The cluster has no node named {printable_name(host)}.{hint(host, names)}"
        raise user_error("NODE_UNKNOWN", message)


async def _names(cluster: ClusterPort) -> list[str] | None:
    """Return the names of the nodes; None where the scheduler does not answer."""
    with suppress(TimeoutError, UserError):
        async with asyncio.timeout(ASK_S):
            return [node.name for node in await cluster.nodes()]
    return None
