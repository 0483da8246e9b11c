"""The nodes of a cluster with the runs of a home there, as faces get them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from known_cluster import SCHEDULER, KnownCluster, node_facts, ready, unreachable
from support import quick, spec

from engine import cluster_nodes
from engine.cluster_nodes import ClusterNodes
from engine.config.paths import Paths
from engine.config.settings import ClusterSettings
from engine.domain.errors import user_error
from engine.domain.events import StatusChanged
from engine.domain.model import Run, Status, WorkspaceSpec
from engine.domain.node import ClusterSummary, NodeCondition
from engine.engine import Engine

NOW = 1_767_225_600.0
CONFIG = quick(cluster=ClusterSettings(scheduler=SCHEDULER))


class Home:
    """A home whose cluster a test sets."""

    def __init__(self, engine: Engine, cluster: KnownCluster) -> None:
        self.engine, self.cluster = engine, cluster
        store = engine._store  # pyright: ignore[reportPrivateUsage]  as the engine gives it
        self.nodes = ClusterNodes(CONFIG, store, lambda: cluster, lambda: NOW)

    async def run_on(self, node: str) -> Run:
        """A run is at work on a node."""
        run = await self.engine.start(spec("say x", workspace=WorkspaceSpec(host=node)))
        journal = self.engine._journal  # pyright: ignore[reportPrivateUsage]  as the supervisor does
        await journal.change(run.id, lambda _: [StatusChanged(Status.PREPARING)])
        return await self.engine.find(run.id)


@pytest.fixture
async def home(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Home]:
    async with Engine.open(paths, quick()) as engine:

        async def checked(run: object, ask_later: bool = False) -> object:
            del ask_later
            return run

        monkeypatch.setattr(engine._services.requests, "check", checked)  # pyright: ignore[reportPrivateUsage]  a node of no cluster
        yield Home(engine, KnownCluster())


async def test_nodes_are_listed_with_the_runs_of_the_home_there(home: Home) -> None:
    run = await home.run_on("n1")
    home.cluster.states = [ready("n2"), ready("n1", run.id, "of-another-home")]
    found = await home.nodes.refresh()
    assert [node.name for node in found.nodes] == ["n1", "n2"]
    first = found.nodes[0]
    assert first.machine and first.condition is NodeCondition.READY
    assert [one.id for one in first.runs] == [run.id]
    assert (first.machine.slots, first.machine.free_slots, first.machine.other_runs) == (8, 6, 1)
    assert first.machine.load_per_processor == 0.5
    assert (found.answered_at, found.problem, found.away) == (NOW, None, ())


async def test_a_node_that_stops_answering_keeps_its_last_facts(home: Home) -> None:
    run = await home.run_on("n1")
    home.cluster.states = [ready("n1", run.id)]
    seen = (await home.nodes.refresh()).nodes[0]
    home.cluster.states = [unreachable("n1", after_s=14)]
    (away,) = (await home.nodes.refresh()).away
    assert (away.condition, away.since) == (NodeCondition.UNREACHABLE, NOW - 14)
    assert away.machine == seen.machine


async def test_facts_of_a_silent_node_are_as_old_as_its_last_answer(home: Home) -> None:
    home.cluster.states = [replace(unreachable("n1", after_s=30), facts=node_facts("n1"))]
    (node,) = (await home.nodes.refresh()).nodes
    assert node.machine and node.machine.seen_at == NOW - 30


async def test_a_node_of_a_run_is_listed_although_the_scheduler_does_not_know_it(
    home: Home,
) -> None:
    run = await home.run_on("gone")
    found = await home.nodes.refresh()
    assert [(node.name, node.condition) for node in found.away] == [
        ("gone", NodeCondition.UNREACHABLE)
    ]
    assert [one.id for one in found.away[0].runs] == [run.id]


async def test_a_dead_scheduler_is_reported_beside_the_nodes_as_last_seen(home: Home) -> None:
    home.cluster.states = [ready("n1")]
    seen = await home.nodes.refresh()
    home.cluster.error = user_error("CLUSTER_UNREACHABLE")
    found = await home.nodes.refresh()
    assert found.problem and found.problem.code == "CLUSTER_UNREACHABLE"
    assert found.answered_at == seen.answered_at
    assert [node.machine for node in found.nodes] == [node.machine for node in seen.nodes]
    home.cluster.error = None
    assert (await home.nodes.refresh()).problem is None


async def test_a_silent_scheduler_is_not_waited_for_forever(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_nodes, "LIMIT_S", 0.05)
    home.cluster.is_silent = True
    found = await home.nodes.refresh()
    assert found.problem and found.problem.code == "CLUSTER_UNREACHABLE"


async def test_nobody_is_asked_where_no_cluster_is_set(home: Home) -> None:
    found = await home.engine.cluster.refresh()
    assert found.problem and found.problem.code == "CLUSTER_NOT_SET"
    assert home.cluster.calls == 0


async def test_followers_hear_of_every_change(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_nodes, "FOLLOW_S", 0)
    heard: asyncio.Queue[ClusterSummary] = asyncio.Queue()
    following = asyncio.ensure_future(home.nodes.follow(heard.put_nowait))
    assert (await heard.get()).nodes == ()
    home.cluster.states = [ready("n1")]
    assert [node.name for node in (await heard.get()).nodes] == ["n1"]
    following.cancel()
