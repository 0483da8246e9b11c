"""The server of the API: uvicorn on sockets of ours, with deadlines for slow clients."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from litestar import Litestar
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.domain.errors import UserError
from tui.cli.api.access import MAX_HEADER_BYTES, protected
from tui.cli.api.application import Mount, application
from tui.cli.api.context import ApiContext
from tui.cli.api.listeners import Listener

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

HEADERS_S = 10.0
"""Seconds that a client may take for the headers of a request, whatever of them arrives."""
HANDSHAKE_S = 10.0
"""Seconds that a client may take to agree on TLS."""
UNREAD_S = 60.0
"""Seconds that a client may leave an answer unread."""
KEPT_S = 5
MAX_CONNECTIONS = 700
"""Fewer than the files that a process may usually have open."""
CLOSING_S = 3
CHECK_S = 5.0
"""Seconds between two checks that the engine still works."""
_log = logging.getLogger(__name__)


class ApiProtocol(H11Protocol):
    """A connection that is closed where its client is too slow."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  as its base has it
        """Begin; where there are too many connections, the oldest without a request ends."""
        super().connection_made(transport)
        self._await_request()
        if len(self.connections) > MAX_CONNECTIONS:
            others = cast("set[ApiProtocol]", self.connections) - {self}
            idle = [one for one in others if one.is_idle]
            min(idle, key=lambda one: one.connected_at, default=self).abort()

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  those of its base
        super().__init__(*arguments, **named)
        self.connected_at = self.loop.time()

    @property
    def is_idle(self) -> bool:
        """Return whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]  None before the first request

    def data_received(self, data: bytes) -> None:
        """Read a part of a request; its headers have a deadline from their first byte on."""
        super().data_received(data)
        if not self.is_idle:
            self._stop(self._deadline)
            self._deadline = None
        elif self._deadline is None:
            self._await_request()

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_S, self.abort)

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        self._stop(self._unread)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop(self._deadline)
        super().connection_lost(exc)
        self._stop(self._unread)

    def abort(self) -> None:
        """Close the connection at once."""
        if self.transport:
            self.transport.abort()

    def _await_request(self) -> None:
        self._deadline = self.loop.call_later(HEADERS_S, self.abort)

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer:
            timer.cancel()


class ApiServer(uvicorn.Server):
    """uvicorn without its handlers of signals: the command has its own."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.servers: list[asyncio.Server] = []

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals as they are."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as its base does, but with a deadline for the start of TLS."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise RuntimeError("the application of the API did not start")
        protocol = partial(
            ApiProtocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        tls = self.config.ssl
        for one in sockets or ():
            listening = asyncio.get_running_loop().create_server(
                protocol, sock=one, ssl=tls, ssl_handshake_timeout=HANDSHAKE_S if tls else None
            )
            self.servers.append(await listening)
        self.started = True


async def serve(
    engine: EnginePort,
    listeners: Sequence[Listener],
    *,
    names: Sequence[str] = (),
    tls: ssl.SSLContext | None = None,
    mounts: Sequence[Callable[[ApiContext], Mount]] = (),
) -> None:
    """Serve the API until this is cancelled; raises `UserError` where the engine is lost."""
    context = ApiContext(engine)
    app = application(context, [mount(context) for mount in mounts])
    server = ApiServer(_config(protected(app, context, names), tls))
    serving = asyncio.create_task(server.serve([one.socket for one in listeners]))
    checking = asyncio.create_task(_check(engine))
    try:
        await asyncio.wait({serving, checking}, return_when=asyncio.FIRST_COMPLETED)
        for task in (checking, serving):
            if task.done():
                task.result()
    finally:
        checking.cancel()
        context.stopping.set()  # streams end, so that nothing is cut
        server.should_exit = True
        await asyncio.wait({serving, checking})


async def _check(engine: EnginePort) -> None:
    """Raise `UserError` once the engine no longer works, or its home is lost."""
    while True:
        await asyncio.sleep(CHECK_S)
        engine.check_works()
        try:
            await engine.api_tokens.all()
        except UserError as error:
            if error.entry.loses_home or error.entry.is_damage:
                raise
            _log.warning("the database cannot be read: %s", error.message)


def _config(app: Litestar, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=ApiProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # no header of a client changes its address
        server_header=False,
        timeout_keep_alive=KEPT_S,
        timeout_graceful_shutdown=CLOSING_S,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )
