"""A network that swallows bytes in silence: the properties of a lease that hold then."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from black_hole import TO_CLIENT, TO_TARGET, BlackHole
from loopback_cluster import a_node, a_scheduler, until

from engine.execution.cluster.channel import ChannelError, NodeLease
from engine.execution.cluster.dask.channel import DaskChannel

LASTS_S = 4.0


async def echo(data: bytes) -> bytes:
    return data


async def lease_of(channel: DaskChannel) -> NodeLease:
    (lease,) = await channel.leases()
    return lease


@pytest.mark.parametrize("directions", [(), (TO_TARGET,), (TO_CLIENT,)])
async def test_cut_off_node_ends_its_runs_before_engines_may_start_them_again(
    tmp_path: Path, directions: tuple[str, ...]
) -> None:
    async with a_scheduler(tmp_path / "s") as scheduler:
        port = int(scheduler.rpartition(":")[2])
        async with (
            BlackHole(port) as hole,
            a_node(
                tmp_path / "n1", f"tcp://127.0.0.1:{hole.port}", "n1", echo, lasts_s=LASTS_S
            ) as node,
        ):
            await node.joined()
            channel = DaskChannel(scheduler, None)
            assert not (await lease_of(channel)).has_expired
            ended_before = node.ended
            hole.swallow(*directions)
            async with asyncio.timeout(30):
                await node.reports.has_ended.wait()
            await until(lambda: node.ended > ended_before)
            assert not (await lease_of(channel)).has_expired, "it waits for a margin, too"
            async with asyncio.timeout(60):
                while not (await lease_of(channel)).has_expired:
                    assert not node.lease.is_valid
                    await asyncio.sleep(0.2)
            assert not node.lease.is_valid
            # Whoever reaches it again finds a node that has begun again.
            node.reports.has_joined.clear()
            hole.heal()
            await node.joined()
            assert (await lease_of(channel)).is_member
            assert await channel.call("n1", b"back", 10) == b"back"
            await channel.close()


async def test_engine_that_is_cut_off_gets_an_error_at_its_limit(tmp_path: Path) -> None:
    async with a_scheduler(tmp_path / "s") as scheduler:
        port = int(scheduler.rpartition(":")[2])
        async with (
            BlackHole(port) as hole,
            a_node(tmp_path / "n1", scheduler, "n1", echo) as node,
        ):
            await node.joined()
            channel = DaskChannel(f"tcp://127.0.0.1:{hole.port}", None)
            assert await channel.call("n1", b"a", 10) == b"a"
            hole.swallow(TO_CLIENT)
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(ChannelError):
                await channel.call("n1", b"b", 1)
            assert loop.time() - began < 3
            hole.heal()
            assert await channel.call("n1", b"c", 10) == b"c"
            await channel.close()
