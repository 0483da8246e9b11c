"""The nodes of the cluster over HTTP, as the command prints them."""

from __future__ import annotations

import pytest
from api_commands import Printed
from httpx import AsyncClient
from known_cluster import SCHEDULER, KnownCluster, ready, unreachable

from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.lazy_services import LazyServices


@pytest.fixture
def cluster(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> KnownCluster:
    """The cluster of the settings."""
    paths.config.write_text(f"cluster: {{scheduler: '{SCHEDULER}'}}\n")
    found = KnownCluster(ready("n1", "one"), unreachable("n2"))
    monkeypatch.setattr(LazyServices, "require_cluster", found.connected)
    monkeypatch.setattr("engine.cluster_nodes.ClusterNodes.is_set", True)
    return found


async def test_nodes_are_listed(
    client: AsyncClient, cluster: KnownCluster, printed: Printed
) -> None:
    del cluster
    answer = await client.get("/v1/nodes")
    assert answer.status_code == 200
    (told,) = await printed("nodes")
    found = answer.json()
    assert [node["name"] for node in found["nodes"]] == ["n1", "n2"]
    assert found["nodes"][0]["condition"] == told["nodes"][0]["condition"] == "ready"
    assert found["nodes"][0].keys() == told["nodes"][0].keys()


async def test_an_unreachable_scheduler_is_a_problem(
    client: AsyncClient, cluster: KnownCluster
) -> None:
    cluster.error = user_error("CLUSTER_UNREACHABLE")
    answer = await client.get("/v1/nodes")
    assert (answer.status_code, answer.json()["code"]) == (503, "CLUSTER_UNREACHABLE")


async def test_without_a_cluster_the_answer_is_a_problem(client: AsyncClient) -> None:
    answer = await client.get("/v1/nodes")
    assert (answer.status_code, answer.json()["code"]) == (409, "CLUSTER_NOT_SET")
