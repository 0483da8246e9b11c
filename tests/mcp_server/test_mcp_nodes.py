"""The machine of runs that MCP clients start."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from known_cluster import KnownCluster, ready
from mcp_clients import ToolFailed, tools_of
from support import quick, spec

from engine.config.paths import Paths
from engine.config.settings import ClusterSettings
from engine.config.values import HostName
from engine.domain.hosts import host_of
from engine.domain.model import ANY_NODE, LOCAL, Pause
from engine.engine import Engine


@pytest.fixture
async def engine(paths: Paths) -> AsyncGenerator[Engine]:
    """An engine whose runs work on any node by the settings, and stay queued."""
    settings = ClusterSettings(on=HostName(ANY_NODE))
    cluster = KnownCluster(ready("n1"), ready("n2"))
    config = quick(cluster=settings)
    async with Engine.open(paths, config, supervise=True, cluster=cluster) as made:
        await made.set_pause(Pause("a test"))
        yield made
        await made.cancel_all(list(made.view.live), kill=True)


async def test_a_client_chooses_the_machine(engine: Engine) -> None:
    async with tools_of(engine) as tools:
        for more, wanted in (({}, ANY_NODE), ({"on": "n1"}, "n1")):
            started = await tools.call("start_run", prompt="x", empty=True, **more)
            assert host_of(engine.view.runs[started["run"]["id"]]) == wanted
        matrix = {"on": ["n2", "n1"]}
        started = await tools.call("start_batch", prompt="x", empty=True, on="any", matrix=matrix)
        hosts = [host_of(engine.view.runs[run["id"]]) for run in started["runs"]]
        assert hosts == ["n2", "n1"]
        with pytest.raises(ToolFailed) as refused:
            await tools.call("start_run", prompt="x", empty=True, on="n9")
        assert refused.value.code == "NODE_UNKNOWN"


async def test_runs_of_an_agent_work_here_whatever_the_settings_name(engine: Engine) -> None:
    parent = await engine.start(spec("hang", on=LOCAL))
    async with tools_of(engine, parent.id) as tools:
        for more in ({}, {"on": LOCAL}):
            started = await tools.call("start_run", prompt="x", empty=True, **more)
            assert host_of(engine.view.runs[started["run"]["id"]]) == LOCAL
        with pytest.raises(ToolFailed) as refused:
            await tools.call("start_run", prompt="x", empty=True, on="n1")
        assert refused.value.code == "RIGHTS_EXCEEDED"
        with pytest.raises(ToolFailed) as refused:
            await tools.call("start_batch", prompt="x", empty=True, matrix={"on": ["n1"]})
        assert refused.value.code == "RIGHTS_EXCEEDED"
