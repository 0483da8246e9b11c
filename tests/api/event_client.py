"""A server for streams, and a client that reads them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from support import LIMIT_S

from engine.engine import Engine
from tui.cli.api.application import application
from tui.cli.api.context import ApiContext


@dataclass
class Sent:
    """A server-sent event as a client sees it."""

    id: int | None = None
    name: str = "message"
    data: Any = None


@dataclass
class Served:
    """The address of a server and its context."""

    address: str
    context: ApiContext
    server: uvicorn.Server

    def open_streams(self) -> int:
        """Return the number of answers that have not ended."""
        return len(self.server.server_state.tasks)


@asynccontextmanager
async def serving(engine: Engine) -> AsyncGenerator[Served]:
    """Serve the API of an engine in this process."""
    context = ApiContext(engine)
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application(context), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        work = asyncio.create_task(server.serve([door]))
        try:
            yield Served(f"http://127.0.0.1:{door.getsockname()[1]}", context, server)
        finally:
            context.stopping.set()
            server.should_exit = True
            async with asyncio.timeout(LIMIT_S):
                await work


async def events_of(lines: AsyncIterator[str]) -> AsyncGenerator[Sent]:
    """Yield the events of a stream; comments have the name `comment`."""
    sent = Sent()
    async for line in lines:
        field, _, value = line.partition(": ")
        if field == "id":
            sent.id = int(value)
        elif field == "event":
            sent.name = value
        elif field == "data":
            sent.data = json.loads(value)
        elif not field and value:
            yield Sent(name="comment", data=value)
        elif not line and (sent.data is not None or sent.id is not None):
            yield sent
            sent = Sent()


@asynccontextmanager
async def stream(
    address: str, path: str, after: int | None = None, **headers: str
) -> AsyncGenerator[AsyncGenerator[Sent]]:
    """Open a stream; `after` is the id of the last event that arrived."""
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    limits = httpx.Timeout(LIMIT_S)
    async with (
        httpx.AsyncClient(
            base_url=address, timeout=limits, trust_env=False, verify=False
        ) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events_of(answer.aiter_lines())


async def received(
    address: str,
    path: str,
    after: int | None = None,
    *,
    most: int | None = None,
    is_last: Callable[[Sent], bool] = lambda _: False,
    secret: str = "",
) -> list[Sent]:
    """Return the events of a stream up to its end, the last one, or the first `most` of them."""
    found: list[Sent] = []
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    async with asyncio.timeout(LIMIT_S), stream(address, path, after, **headers) as sent:
        if most == 0:
            return found
        with suppress(httpx.RemoteProtocolError, httpx.ReadError):  # the server was killed
            async for one in sent:
                if one.name == "comment":
                    continue
                found.append(one)
                if len(found) == most or is_last(one):
                    break
    return found
