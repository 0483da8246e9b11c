"""The check of the machine that a run is requested for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.config.settings import Config
from engine.domain.errors import UserError, user_error
from engine.domain.events import Notice
from engine.domain.hosts import check_host
from engine.domain.model import ANY_NODE, LOCAL, Run, RunSpec, WorkspaceKind
from engine.domain.nearest import hint
from engine.domain.node import NodeCondition
from engine.domain.text import printable_name
from engine.system.time_limit import time_limit

if TYPE_CHECKING:
    from engine.execution.cluster.cluster import ClusterPort
    from engine.lazy_services import LazyServices

ASK_S = 5.0
"""Time for the cluster to list its nodes; afterwards the run waits for its node."""


def with_host(spec: RunSpec, config: Config) -> RunSpec:
    """Return a request for a run with its machine settled; raises `UserError`.

    Settings are for new workspaces: a run that an agent starts, a fork, and one that goes on from
    another or works in place stay where those are.
    """
    host, wish = spec.workspace.host, spec.workspace
    if wish.kind is WorkspaceKind.FROM_RUN:
        is_same = spec.on in (None, host) or (spec.on == ANY_NODE and host != LOCAL)
        if not is_same:
            message = f"The earlier run has its workspace on {printable_name(host)}."
            raise user_error("INPUT_INVALID", message, "Leave out --on: the run works there.")
        return spec
    if spec.on:
        return replace(spec, workspace=replace(wish, host=spec.on))
    is_bound = spec.parent or spec.fork or wish.kind is WorkspaceKind.IN_PLACE
    if host != LOCAL or is_bound:
        return spec
    return replace(spec, workspace=replace(wish, host=_usual(spec, config)))


def _usual(spec: RunSpec, config: Config) -> str:
    own = config.projects.get(spec.project) or config.projects.get(spec.project.rpartition("/")[2])
    return str((own.on if own else None) or config.cluster.on)


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


def wait_notices(run: Run, services: LazyServices) -> list[Notice]:
    """Return a notice where the next attempt of a run waits for the node of its workspace.

    The node has just been asked.
    """
    host = run.workspace.host if run.workspace else LOCAL
    cluster = services.cluster if services.machines.places(services.config).is_node(host) else None
    condition = cluster.condition(host) if cluster else NodeCondition.READY
    if condition is NodeCondition.READY:
        return []
    verb = "is lost" if condition is NodeCondition.LOST else "does not answer"
    words = f"the node {printable_name(host)} {verb}: the message waits until it answers"
    elsewhere = f"`swarm-tui cancel {run.id}`, then `swarm-tui retry {run.id} --on any`"
    return [Notice("warning", f"{words}; to start over on another: {elsewhere}")]


async def _names(cluster: ClusterPort) -> list[str] | None:
    """Return the names of the nodes; None where the scheduler does not answer."""
    with suppress(TimeoutError, UserError):  # the run waits for its node
        async with time_limit(ASK_S):
            return [node.name for node in await cluster.nodes()]
    return None
