"""The channel over Dask, with a scheduler and nodes in this process."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from loopback_cluster import a_node, a_scheduler, certificates, until

from engine.execution.cluster.channel import ChannelError, NodeMissingError, RefusedError
from engine.execution.cluster.dask.channel import DaskChannel
from engine.execution.cluster.dask.tls import TlsFiles


async def echo(data: bytes) -> bytes:
    return b"echo " + data


@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_message_reaches_its_node_and_comes_back(tmp_path: Path, is_encrypted: bool) -> None:
    made = await certificates(tmp_path / "certificates", "n1", "n2") if is_encrypted else None

    def of(name: str) -> TlsFiles | None:
        return made.of(name) if made else None

    async def other(data: bytes) -> bytes:
        return b"other " + data

    async with (
        a_scheduler(tmp_path / "s", of("scheduler")) as address,
        a_node(tmp_path / "n1", address, "n1", echo, files=of("n1"), lasts_s=30) as one,
        a_node(tmp_path / "n2", address, "n2", other, files=of("n2")) as two,
    ):
        await one.joined()
        await two.joined()
        channel = DaskChannel(address, of("client"))
        big = os.urandom(6_000_000)
        assert await channel.call("n1", b"a", 5) == b"echo a"
        assert await channel.call("n2", b"b", 5) == b"other b"
        assert await channel.call("n1", big, 10) == b"echo " + big
        answers = await asyncio.gather(*(channel.call("n1", b"%d" % n, 30) for n in range(60)))
        assert answers == [b"echo %d" % n for n in range(60)]
        leases = {lease.node: lease for lease in await channel.leases()}
        assert set(leases) == {"n1", "n2"}
        assert leases["n1"].is_member and leases["n1"].granted_s < 15
        assert leases["n1"].lasts_s == 30 and not leases["n1"].has_expired
        assert 0 < await channel.scheduler_age_s() < 60
        await channel.close()


async def test_unknown_node_is_missing_and_gone_one_does_not_answer(tmp_path: Path) -> None:
    async with a_scheduler(tmp_path / "s") as address:
        channel = DaskChannel(address, None)
        with pytest.raises(NodeMissingError):
            await channel.call("n1", b"", 5)
        async with a_node(tmp_path / "n1", address, "n1", echo) as node:
            await node.joined()
        with pytest.raises(ChannelError) as caught:
            await channel.call("n1", b"", 5)
        assert not isinstance(caught.value, NodeMissingError)
        await node_leaves(tmp_path, address)
        with pytest.raises(NodeMissingError):
            await channel.call("n1", b"", 5)
        (lease,) = await channel.leases()
        assert lease.has_expired and not lease.is_member
        await channel.close()


async def node_leaves(tmp_path: Path, address: str) -> None:
    async with a_node(tmp_path / "n1", address, "n1", echo) as node:
        await node.joined()
        await node.membership.leave()


async def test_call_ends_at_its_limit_and_others_go_on(tmp_path: Path) -> None:
    hold = asyncio.Event()

    async def slow(data: bytes) -> bytes:
        if data == b"slow":
            await hold.wait()
        return data

    async with (
        a_scheduler(tmp_path / "s") as address,
        a_node(tmp_path / "n1", address, "n1", slow) as node,
    ):
        await node.joined()
        channel = DaskChannel(address, None)
        loop = asyncio.get_running_loop()
        began = loop.time()
        late = [asyncio.create_task(channel.call("n1", b"slow", 1)) for _ in range(30)]
        assert await channel.call("n1", b"fast", 5) == b"fast"
        results = await asyncio.gather(*late, return_exceptions=True)
        assert all(isinstance(one, ChannelError) for one in results)
        assert loop.time() - began < 4
        assert await channel.call("n1", b"fast", 5) == b"fast"
        hold.set()
        await channel.close()


async def test_closed_channel_leaves_no_task_and_no_socket(tmp_path: Path) -> None:
    async with (
        a_scheduler(tmp_path / "s") as address,
        a_node(tmp_path / "n1", address, "n1", echo) as node,
    ):
        await node.joined()
        # The scheduler keeps its connections to the node, which is in this process, too.
        await use(DaskChannel(address, None))
        tasks, sockets = len(asyncio.all_tasks()), open_sockets()
        await use(DaskChannel(address, None))
        await until(lambda: len(asyncio.all_tasks()) <= tasks and open_sockets() <= sockets)


async def use(channel: DaskChannel) -> None:
    await asyncio.gather(*(channel.call("n1", b"%d" % n, 5) for n in range(10)))
    waiting = asyncio.create_task(channel.call("n1", b"x", 5))
    await asyncio.sleep(0)
    await channel.close()
    await asyncio.gather(waiting, return_exceptions=True)
    with pytest.raises(ChannelError):
        await channel.call("n1", b"x", 5)


def open_sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            continue
    return found


async def test_channel_works_again_after_a_restart_of_the_scheduler(tmp_path: Path) -> None:
    async with a_scheduler(tmp_path / "s") as address:
        port = int(address.rpartition(":")[2])
        channel = DaskChannel(address, None)
        node_context = a_node(tmp_path / "n1", address, "n1", echo)
        node = await node_context.__aenter__()
        await node.joined()
        assert await channel.call("n1", b"a", 5) == b"echo a"
    with pytest.raises(ChannelError):
        await channel.call("n1", b"a", 2)
    async with a_scheduler(tmp_path / "s2", port=port):
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await channel.call("n1", b"b", 2) == b"echo b"
                    break
                except ChannelError:
                    await asyncio.sleep(0.05)
        assert node.ended == 1, "it kept its lease: its runs went on"
        await channel.close()
        await node_context.__aexit__(None, None, None)


async def test_call_to_a_port_that_nothing_listens_at_is_refused_at_once() -> None:
    channel = DaskChannel("tcp://127.0.0.1:1", None)
    begun = time.monotonic()
    for _ in range(3):
        with pytest.raises(RefusedError):
            await channel.call("n1", b"", 30)
    with pytest.raises(RefusedError):
        await channel.leases()
    assert time.monotonic() < begun + 20  # of 120 s for four calls
    await channel.close()


async def test_call_after_the_end_of_a_scheduler_that_was_reached_may_be_tried_again(
    tmp_path: Path,
) -> None:
    async with a_scheduler(tmp_path / "s") as address:
        channel = DaskChannel(address, None)
        assert not await channel.leases()
    for _ in range(2):
        with pytest.raises(ChannelError) as caught:
            await channel.call("n1", b"", 5)
        assert not isinstance(caught.value, RefusedError)
    await channel.close()
