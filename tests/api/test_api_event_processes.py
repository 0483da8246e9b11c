"""Streams from a server in a process of its own: killed, and with 200 clients at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import psutil
from event_client import Sent, received
from support import LIMIT_S, becomes, played, settled, spec
from typed import COMMAND

from engine.domain.api_token import Scope
from engine.engine import Engine
from tui.app import SwarmApp
from tui.screens.help import HelpScreen

STREAMS = 200
HOME = "/v1/events/stream"


class ApiProcess:
    """A running `swarm-tui api`, and its address."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.process, self.address = process, address


@asynccontextmanager
async def serving() -> AsyncGenerator[ApiProcess]:
    """Serve the API from a process of its own, on a port that is free."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "api", "--port", "0"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout
        async with asyncio.timeout(LIMIT_S):
            line = ""
            while not (found := re.search(r"http://[\d.:]+", line)):
                line = (await process.stdout.readline()).decode()
                assert line, "it ended"
        yield ApiProcess(process, found[0])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def token(engine: Engine) -> str:
    """Return the secret of a client that may read."""
    made = await engine.api_tokens.create("reader", Scope.READ)
    return made.secret


def is_mark(one: Sent) -> bool:
    return one.name == "message" and one.data["type"] == "annotation"


async def test_nothing_is_lost_or_doubled_where_the_server_is_killed(engine: Engine) -> None:
    """kill -9 in the middle of streams; a new process goes on after the last event of a client."""
    secret = await token(engine)
    found = list[Sent]()

    def last() -> int:
        return found[-1].id or 0 if found else 0

    async with asyncio.timeout(LIMIT_S):
        async with serving() as served:
            await engine.start(spec("numbered 40 every=0.02"))
            reading = asyncio.create_task(received(served.address, HOME, secret=secret))
            await received(served.address, HOME, most=25, secret=secret)
            served.process.kill()  # the first client has got about as far as the second one
            found += await reading
        await settled(engine)
        run = await played(engine, "say the end")
        await engine.annotations.note(run.id, "the last event")
        async with serving() as served:
            found += await received(served.address, HOME, last(), is_last=is_mark, secret=secret)
    stored = await engine.history(None).page(after=0, limit=100_000)
    assert [one.id for one in found] == [number for number, _ in stored]
    assert [one.data["seq"] for one in found] == [event.seq for _, event in stored]


async def connect(address: str, secret: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream of new events, and read up to its beginning."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = (
        f"GET {HOME}?new=true HTTP/1.1",
        f"Host: {host}:{port}",
        f"Authorization: Bearer {secret}",
    )
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert (await reader.readline()).split()[1] == b"200"
    await reader.readuntil(b"\nid: ")
    return reader, writer


async def numbers(reader: asyncio.StreamReader) -> list[int]:
    """Return the numbers of the events of a stream, up to the mark."""
    found: list[int] = []
    begin = int(await reader.readline())
    while True:
        line = await reader.readline()
        assert line, "the stream ended"
        if line.startswith(b"id: "):
            found.append(int(line[4:]))
        elif line.startswith(b"data: ") and b'"type":"annotation"' in line:
            assert found == list(range(begin + 1, found[-1] + 1))
            return found


async def test_200_streams_at_once_each_have_every_event(engine: Engine) -> None:
    """Beside them a dashboard answers keys, and the server's memory stays bounded."""
    secret = await token(engine)
    async with serving() as served, AsyncExitStack() as opened, asyncio.timeout(LIMIT_S):
        streams = [await connect(served.address, secret) for _ in range(STREAMS)]
        for _, writer in streams:
            opened.callback(writer.close)
        before_bytes = resident_bytes(served.process.pid)
        reading = [asyncio.create_task(numbers(reader)) for reader, _ in streams]
        app = SwarmApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            run = await played(engine, "flood 200 size=500")
            await pilot.press("?")
            await becomes(lambda: isinstance(app.screen, HelpScreen))
        await engine.annotations.note(run.id, "the last event")
        found = await asyncio.gather(*reading)
        grown_bytes = resident_bytes(served.process.pid) - before_bytes
    stored = [number for number, _ in await engine.history(None).page(after=0, limit=10_000)]
    assert all(one == stored for one in found)
    assert grown_bytes < 64 << 20


def resident_bytes(pid: int) -> int:
    """Return the memory of a process."""
    return int(psutil.Process(pid).memory_info().rss)
