"""No answer and no message of the cluster is read beyond its ceiling, whatever is announced."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loopback_cluster import a_node, a_scheduler, loaded

from engine.domain.errors import UserError
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.channel import LARGEST_BYTES, AnswerTooLargeError
from engine.execution.cluster.cluster import KnownNode
from engine.execution.cluster.dask import ceilings
from engine.execution.cluster.dask.channel import DaskChannel
from engine.execution.cluster.messages import SMALL_BYTES, Hello

MIB = 1024**2


async def test_answer_of_a_node_has_a_ceiling_for_each_call(tmp_path: Path) -> None:
    async def large(data: bytes) -> bytes:
        return b"x" * int(data)

    async with (
        a_scheduler(tmp_path / "s") as address,
        a_node(tmp_path / "n1", address, "n1", large) as node,
    ):
        await node.joined()
        channel = DaskChannel(address, None)
        assert len(await channel.call("n1", b"%d" % MIB, 10, MIB)) == MIB
        with pytest.raises(AnswerTooLargeError):
            await channel.call("n1", b"%d" % (2 * MIB), 10, MIB)
        with pytest.raises(AnswerTooLargeError):
            await channel.call("n1", b"%d" % (LARGEST_BYTES + 2 * MIB), 10)
        assert len(await channel.call("n1", b"7", 10, MIB)) == 7, "the next one is read"
        await channel.close()


async def test_too_large_answer_is_an_error_of_the_node_and_not_asked_again() -> None:
    class Large:
        calls = 0

        async def call(self, node: str, message: bytes, limit_s: float, limit_bytes: int) -> bytes:
            del node, message, limit_s
            self.calls += 1
            return b"x" * (limit_bytes + 1)

    async def home() -> str:
        return "h0me"

    async def look() -> None:
        pass

    channel: Any = Large()
    watch = KnownNode("one", look)
    with pytest.raises(UserError) as caught:
        await NodeCalls(channel, "one", home, watch).call(Hello())
    assert caught.value.code == "NODE_FAILED"
    assert f"node one gave an answer of more than {SMALL_BYTES // MIB} MiB" in str(caught.value)
    assert channel.calls == 1
    assert not watch.is_silent, "it did answer"


def _bomb() -> Sequence[bytes]:
    """Return frames of Dask that decompress to a gigabyte, as a hostile node could send them."""
    header = {"num-sub-frames": 1, "compression": ["zlib"], "serializer": "dask"}
    frame = zlib.compress(bytes(64 * MIB))
    return [msgspec.msgpack.encode({"__Serialized__": 1}), msgspec.msgpack.encode(header), frame]


def test_only_messages_of_ours_are_decoded() -> None:
    def packed(value: object) -> list[bytes]:
        return [msgspec.msgpack.encode(value)]

    big = bytes(2 * MIB)
    for fine in (big, {"op": "swarm_tui", "kind": "call", "data": big}, {"python": [3, 11]}, None):
        assert ceilings.decode(packed(fine)) == fine
    many: list[dict[str, int]] = [{}] * 100_000
    for refused in (_bomb(), [], [b""], packed({"a": many}), packed({"a": big, "b": big})):
        with pytest.raises(ceilings.MessageRefusedError):
            ceilings.decode(refused)
    for broken in (packed(many), [b"\xc1"], [b"\xdd\xff\xff\xff\xff"], [b"\x81"]):
        with pytest.raises(ValueError):
            ceilings.decode(broken)


@pytest.mark.parametrize(
    "announced",
    [
        struct.pack("<Q", 2**40),
        struct.pack("<Q", 24) + struct.pack("<QQQ", 2, 0, 2**40),  # in the frames
        struct.pack("<Q", 8) + struct.pack("<Q", 2**40),  # in their number
    ],
)
async def test_announced_size_is_refused_before_it_is_read(
    tmp_path: Path, announced: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await loaded()
    asked: list[int] = []
    array = importlib.import_module("distributed.protocol.utils").host_array

    def counted(count: int) -> memoryview:
        asked.append(count)
        return array(count)

    monkeypatch.setattr("distributed.comm.tcp.host_array", counted)
    async with a_scheduler(tmp_path / "s") as address:
        host, port = address.removeprefix("tcp://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(announced)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                await reader.read()  # until it closes the connection
        writer.close()
        channel = DaskChannel(address, None)
        assert await channel.leases() == [], "the scheduler goes on"
        await channel.close()
    assert max(asked) < LARGEST_BYTES
