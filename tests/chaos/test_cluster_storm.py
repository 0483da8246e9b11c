"""Processes of a cluster killed while runs work on its nodes: nothing is lost or done twice."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from cluster_storm import StormyCluster, storm


@pytest.mark.timeout(300)
async def test_kills_of_all_parts_of_a_cluster_lose_and_double_nothing() -> None:
    seed = random.randrange(10**6)
    with tempfile.TemporaryDirectory(prefix="cs") as folder:
        cluster = StormyCluster(Path(folder), nodes=3, slots=2, seed=seed)
        try:
            found = await storm(cluster, kills=10, runs=4, numbers=100)
        finally:
            cluster.close()
    assert found.faults == {}, f"seed {seed}: {found}"
    assert found.kills.total() == 10
