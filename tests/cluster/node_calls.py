"""Calls to a node for tests: messages in, answers out, and attempts that are shell scripts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from fake_channel import FakeChannel
from support import LIMIT_S

from engine.execution.cluster.messages import (
    Message,
    ReadChunk,
    ReadOutput,
    ReadRequest,
    Ref,
    StartAgent,
    Started,
    WriteInput,
    pack,
    unpack,
)
from engine.execution.cluster.node.service import NodeService

HOME = "h0me"
REF = Ref("a1", 1, "agent")
SETUP = Ref("a1", 1, "set-up")
Answer = TypeVar("Answer")


async def ask(
    node: NodeService | FakeChannel, message: Message[Answer], home: str = HOME, name: str = "one"
) -> Answer:
    """Send a message and return the answer."""
    data = pack(home, message)
    if isinstance(node, FakeChannel):
        return unpack(await node.call(name, data, LIMIT_S), message)
    return unpack(await node.handle(data), message)


def starting(folder: Path, text: str, ref: Ref = REF, **more: Any) -> StartAgent:
    """Return the message that starts a shell script as an agent."""
    given: dict[str, Any] = {
        "ref": ref,
        "argv": ("/bin/sh", "-c", text),
        "env": {},
        "base": {},
        "folder": str(folder),
        "python": "",
        "program": "",
    }
    return StartAgent(**{**given, **more})


async def start(
    node: NodeService | FakeChannel,
    folder: Path,
    text: str,
    ref: Ref = REF,
    prompt: bytes = b"",
    home: str = HOME,
) -> Started:
    """Start a shell script as an agent."""
    await ask(node, WriteInput(ref=ref, input="prompt", content=prompt), home)
    return await ask(node, starting(folder, text, ref), home)


async def read(
    node: NodeService | FakeChannel, *requests: ReadRequest, wait_s: float = 0.0
) -> Sequence[ReadChunk]:
    """Read the output of parts."""
    return await ask(node, ReadOutput(requests=requests, limit_lines=10_000, wait_s=wait_s))


async def drained(
    node: NodeService | FakeChannel, ref: Ref = REF, offset: int = 0
) -> tuple[list[bytes], ReadChunk]:
    """Read until the end; return all lines and the last chunk."""
    lines: list[bytes] = []
    async with asyncio.timeout(LIMIT_S):
        while True:
            (chunk,) = await read(node, ReadRequest(ref, offset, True, True), wait_s=5)
            assert not chunk.error
            lines += chunk.lines
            offset = chunk.offset
            if chunk.end:
                return lines, chunk


async def ready(node: NodeService | FakeChannel, ref: Ref = REF) -> list[bytes]:
    """Wait for the first lines of a part and return them."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            (chunk,) = await read(node, ReadRequest(ref, 0, True, False), wait_s=5)
            if chunk.lines:
                return list(chunk.lines)
            assert chunk.end is None, chunk
