"""Sockets of the dashboard in a browser: where it listens, and how many may be connected."""

from __future__ import annotations

import asyncio
import random
import socket
import sys

from aiohttp import web

HOST = "127.0.0.1"
STRANGERS = 64
"""Connections without a session; one more closes the oldest."""
STRANGER_S = 10.0
"""Longest time of such a connection, whatever it sends or reads meanwhile."""
KEPT_S = 5.0
HEADER_BYTES = 1024**2
"""More than all cookies that neighbours on 127.0.0.1 can make a browser send."""


def bind(port: int) -> list[socket.socket]:
    """Return the socket to listen on, and those that must stay open beside it; raises OSError.

    On Linux the address is a random one of 127.0.0.0/8: no cookie, service worker or stored data
    of what was served before, or is served on another port, belongs to it.
    """
    usual = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        usual.bind((HOST, port))
        port = usual.getsockname()[1]
        if sys.platform == "linux":
            return [_listening(_random_host(), port), usual]
        usual.listen()
    except OSError:
        usual.close()
        raise
    return [usual]


def _listening(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port))


def _random_host() -> str:
    numbers = random.SystemRandom()
    return ".".join(["127", *(str(numbers.randint(1, 254)) for _ in range(3))])


class WebConnections:
    """The open connections of a server; those without a session are few and short."""

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._strangers: dict[WebConnection, asyncio.TimerHandle] = {}

    def __call__(self) -> WebConnection:
        """Return the protocol of a new connection."""
        return WebConnection(self._server, self)

    def add(self, connection: WebConnection) -> None:
        """Limit a new connection, and close the oldest where there are too many."""
        while len(self._strangers) >= STRANGERS:
            self._abort(next(iter(self._strangers)))
        timer = asyncio.get_running_loop().call_later(STRANGER_S, self._abort, connection)
        self._strangers[connection] = timer

    def trust(self, connection: WebConnection) -> None:
        """Keep a connection open: it has a session, or has ended."""
        if timer := self._strangers.pop(connection, None):
            timer.cancel()

    def _abort(self, connection: WebConnection) -> None:
        self.trust(connection)
        if connection.transport:
            connection.transport.abort()


class WebConnection(web.RequestHandler):
    """A connection that is known to `WebConnections` while it is open."""

    def __init__(self, server: web.Server, connections: WebConnections) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # pyright: ignore[reportArgumentType]  as runners do
            keepalive_timeout=KEPT_S,
            lingering_time=1.0,
            max_field_size=HEADER_BYTES,
        )
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self._connections.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._connections.trust(self)
        super().connection_lost(exc)
