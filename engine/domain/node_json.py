"""Nodes of the cluster as the JSON objects of the public contract."""

from __future__ import annotations

from typing import Any

from engine.domain.events import iso
from engine.domain.model import Run
from engine.domain.node import ClusterSummary, NodeMachine, NodeSummary


def cluster_json(cluster: ClusterSummary) -> dict[str, Any]:
    """Return the cluster as a JSON object."""
    return {
        "scheduler": cluster.scheduler,
        "nodes": [node_json(node) for node in cluster.nodes],
    }


def node_json(node: NodeSummary) -> dict[str, Any]:
    """Return a node as a JSON object."""
    return {
        "name": node.name,
        "condition": node.condition.value,
        "unreachable_since": None if node.since is None else iso(node.since),
        "machine": _machine_json(node.machine) if node.machine else None,
        "runs": [_run_json(run) for run in node.runs],
    }


def _machine_json(machine: NodeMachine) -> dict[str, Any]:
    return {
        "seen_at": iso(machine.seen_at),
        "slots": machine.slots,
        "free_slots": machine.free_slots,
        "load": machine.load,
        "processors": machine.processors,
        "memory_free": machine.memory_bytes,
        "disk_free": machine.disk_bytes,
        "version": machine.version,
        "is_compatible": machine.is_compatible,
        "agent_version": machine.agent_version or None,
        "login": machine.login,
        "accounts": list(machine.accounts),
        "other_runs": machine.other_runs,
    }


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": run.status.value,
        "title": run.spec.title,
        "project": run.spec.project,
    }
