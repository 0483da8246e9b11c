"""Clusters as the screen of nodes shows them."""

from __future__ import annotations

from typing import Any

import msgspec
from fake_engine import NOW, FakeEngine, S
from known_cluster import GIB, SCHEDULER

from engine.config.settings import ClusterSettings, UiSettings
from engine.domain.model import Run
from engine.domain.node import ClusterSummary, NodeCondition, NodeMachine, NodeSummary


def machine(**more: Any) -> NodeMachine:
    """A machine with 8 slots, of which 3 are taken."""
    said: dict[str, Any] = {
        "seen_at": NOW,
        "slots": 8,
        "free_slots": 5,
        "load": 2.0,
        "processors": 4,
        "memory_bytes": 12 * GIB,
        "disk_bytes": 84 * GIB,
        "version": "0.1.0",
        "agent_version": "0.171.0",
        "login": "ok",
    }
    return NodeMachine(**{**said, **more})


def four_nodes(*runs: Run) -> ClusterSummary:
    """One node is ready, one has no login, one does not answer and has the runs, one is lost."""
    nodes = (
        NodeSummary("garden-1", NodeCondition.READY, machine=machine(accounts=("work",))),
        NodeSummary(
            "garden-2",
            NodeCondition.READY,
            machine=machine(free_slots=0, load=7.2, login="Codex is not logged in."),
        ),
        NodeSummary("n2", NodeCondition.UNREACHABLE, NOW - 14, machine(seen_at=NOW - 14), runs),
        NodeSummary("n3", NodeCondition.LOST, NOW - 90),
    )
    return ClusterSummary(SCHEDULER, nodes, NOW)


def with_cluster(ui: UiSettings | None = None) -> FakeEngine:
    """Two runs at work on a node that does not answer."""
    engine = FakeEngine(ui)
    for number, title in enumerate(("Write the docs", "Port the tests")):
        engine.add(f"1qj8a{number}k2m4", title)
        engine.pass_through(f"1qj8a{number}k2m4", S.PREPARING, S.RUNNING)
    engine.now = NOW
    settings = ClusterSettings(scheduler=SCHEDULER)
    engine.config = msgspec.structs.replace(engine.config, cluster=settings)
    engine.cluster.found = four_nodes(*engine.view.runs.values())
    return engine
