"""Places on the nodes of a cluster, as the scheduler of runs counts them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from engine.domain.hosts import host_of
from engine.domain.model import ANY_NODE, LOCAL
from engine.domain.node import NodeCondition
from engine.domain.placement import NodePlaces, wanted_host
from engine.domain.projection import View
from engine.execution.cluster.cluster import ClusterPort


def node_places(cluster: ClusterPort, view: View, machines: Collection[str]) -> NodePlaces:
    """Return the free slots of nodes as they were last seen, without those taken since."""
    active: dict[str, set[str]] = defaultdict(set)
    for run in view.active():
        active[host_of(run)].add(run.id)
    free = {
        node: max(0, seen - len(active[node].difference(cluster.runs_seen(node))))
        for node, seen in cluster.free_slots().items()
    }
    lost = {host for host in _hosts_awaited(view) if _is_lost(cluster, host, free)}
    return NodePlaces(True, free=free, lost=frozenset(lost), machines=frozenset(machines))


def shown_places(cluster: ClusterPort, view: View, places: NodePlaces) -> NodePlaces:
    """Return the part that others show: whether there is a free slot, and who is waited for."""
    free = {node: min(1, slots) for node, slots in sorted(places.free.items())}
    named = {wanted_host(view, run, NodePlaces()) for run in view.queue()}
    away = named - free.keys() - {ANY_NODE, LOCAL, *places.machines}
    silent_since = {host: cluster.silent_since(host) for host in sorted(away)}
    return NodePlaces(places.is_set, free=free, lost=places.lost, silent_since=silent_since)


def _hosts_awaited(view: View) -> set[str]:
    """Return the machines that have the workspace of a queued run."""
    return {run.workspace.host for run in view.queue() if run.workspace}


def _is_lost(cluster: ClusterPort, host: str, free: Collection[str]) -> bool:
    return host not in free and cluster.condition(host) is NodeCondition.LOST
