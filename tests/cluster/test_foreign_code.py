"""Messages of Dask that would run code: none is carried out."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from cluster_processes import LIMIT_S, ROOT
from loopback_cluster import a_node, a_scheduler, loaded

from engine.execution.cluster.channel import ChannelError
from engine.execution.cluster.dask.channel import DaskChannel
from engine.execution.cluster.dask.wire import OPERATION


async def echo(data: bytes) -> bytes:
    return data


class Bomb:
    """A pickle that makes a file where it is decoded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


async def send(address: str, message: dict[str, Any]) -> object:
    """Send a message as any program with Dask could; return the answer, or the error."""
    library = await loaded()
    pool = library.new_pool()
    await pool.start()
    try:
        async with asyncio.timeout(3):
            comm = await pool.connect(address)
            return await library.send_recv(comm, **message)
    except Exception as error:
        return error
    finally:
        await pool.close()


@pytest.mark.parametrize("place", ["scheduler", "node"])
async def test_pickles_and_operations_of_dask_are_refused(tmp_path: Path, place: str) -> None:
    serialize = importlib.import_module("distributed.protocol.serialize")
    async with (
        a_scheduler(tmp_path / "s") as address,
        a_node(tmp_path / "n1", address, "n1", echo) as node,
    ):
        await node.joined()
        at_node = node.membership._member.address  # pyright: ignore[reportPrivateUsage]  only it knows where
        target = address if place == "scheduler" else at_node
        bomb = Bomb(tmp_path / "exploded")
        for wrapped in (serialize.ToPickle(bomb), serialize.Serialize(bomb)):
            await send(target, {"op": OPERATION, "kind": "renew", "data": wrapped})
            await send(target, {"op": "run_function", "function": wrapped})
        for name in ("run", "run_function", "identity", "terminate", "upload_file", "close_worker"):
            answer = await send(target, {"op": name})
            assert answer is None or isinstance(answer, Exception), (name, answer)
        await send(target, {"op": OPERATION, "kind": "renew", "data": b"\xff"})
        await send(target, {"op": OPERATION, "kind": 7, "data": 8, "more": 9})
        assert not bomb.path.exists()
        channel = DaskChannel(address, None)
        assert await channel.call("n1", b"well", 10) == b"well"
        await channel.close()


async def test_dask_scheduler_serves_a_cluster_with_the_preload(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "distributed.cli.dask_scheduler"),
        *("--host", "127.0.0.1", "--port", str(port), "--no-dashboard"),
        *("--preload", "engine.execution.cluster.dask.preload"),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    address = f"tcp://127.0.0.1:{port}"
    try:
        async with (
            asyncio.timeout(LIMIT_S),
            a_node(tmp_path / "n1", address, "n1", echo) as node,
        ):
            await node.reports.has_joined.wait()
            channel = DaskChannel(address, None)
            assert await channel.call("n1", b"over Dask", 10) == b"over Dask"
            await channel.close()
    finally:
        process.kill()
        await process.wait()


async def test_server_without_our_operation_is_explained(tmp_path: Path) -> None:
    from engine.execution.cluster.dask.servers import bare_server, listen

    server = bare_server(await loaded(), None, tmp_path)
    address = await listen(server, None, "127.0.0.1", 0)
    channel = DaskChannel(address, None)
    with pytest.raises(ChannelError, match="swarm-tui cluster scheduler"):
        await channel.leases()
    await channel.close()
    await server.close()
