"""The API on a home of its own, served by a thread: for clients that are not asynchronous."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property

import uvicorn
from support import LIMIT_S, quick

from engine.config.paths import Paths
from engine.domain.model import Run
from engine.engine import Engine
from tui.cli.api.application import application
from tui.cli.api.attendance import SharedAttendant
from tui.cli.api.context import ApiContext


class IdleAttendant(SharedAttendant):
    """An attendant that starts no supervisor, however long the runs stay queued."""

    @asynccontextmanager
    async def during(self) -> AsyncGenerator[None]:
        yield


class QueueOnlyContext(ApiContext):
    """A context that starts no supervisor: runs that are started stay queued, so none waits."""

    longest_wait_s = 0.05

    @cached_property
    def attendant(self) -> SharedAttendant:
        return IdleAttendant(self.engine)

    async def supervise(self, runs: Iterable[Run] | None = None) -> None:
        del runs


@contextmanager
def served(paths: Paths, prepare: Callable[[Engine], Awaitable[None]]) -> Generator[str]:
    """Serve a home after `prepare`, which has an engine that supervises it; yields the address."""
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen()  # clients that come before the server wait for it
    ready = threading.Event()
    servers: list[uvicorn.Server] = []

    async def work() -> None:
        async with Engine.open(paths, quick(), supervise=True) as engine:
            await prepare(engine)
        async with Engine.open(paths, quick()) as engine:
            app = application(QueueOnlyContext(engine))
            servers.append(uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on")))
            ready.set()
            await servers[0].serve([door])

    thread = threading.Thread(target=lambda: asyncio.run(work()), daemon=True)
    thread.start()
    try:
        assert ready.wait(LIMIT_S)
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(LIMIT_S)
        door.close()
    assert not thread.is_alive()
