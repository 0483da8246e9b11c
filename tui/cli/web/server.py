"""The dashboard over HTTP: textual-serve behind a guard, for one user on this machine."""

from __future__ import annotations

import asyncio
import shlex
import socket
import sys
from pathlib import Path

from aiohttp import web
from textual_serve.server import Server

from tui.cli.support.session import PROGRAM
from tui.cli.web.access import HEADER, PROTOCOL, REFUSED, WebAccess, check_source, offered_key
from tui.cli.web.connections import WebConnection, WebConnections

CLOSING_S = 20.0
TERMINAL = "TERM=xterm-256color COLORTERM=truecolor LC_ALL=C.UTF-8"
PAGE = Path(__file__).parent / "page"
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""Headers: nothing from elsewhere, in no frame, reached by no other window, not kept."""


class DashboardPage(Server):
    """textual-serve's server with a page of ours; every window is a dashboard in a process."""

    def __init__(self, access: WebAccess) -> None:
        # -E: Python reads no variable, so that it loads nothing from a folder of an agent.
        words = shlex.join([sys.executable, "-E", "-P", str(PROGRAM)])
        super().__init__(f"{TERMINAL} exec {words}", title="swarm-tui")  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        self._access = access
        self._windows: set[asyncio.Task[object]] = set()
        self.connections: WebConnections | None = None

    def application(self) -> web.Application:
        """Make the application, guard included."""
        application = web.Application(middlewares=[check_source], client_max_size=1024)
        application.add_routes(
            [
                web.get("/", self._page),
                web.post("/session", self._session),
                web.get("/ws", self.handle_websocket),
                web.static("/static", self.statics_path),
                web.static("/page", PAGE),
            ]
        )
        application.on_response_prepare.append(_add_headers)
        application.on_shutdown.append(self.on_shutdown)
        return application

    async def on_shutdown(self, app: web.Application) -> None:
        """Close the dashboards as if their windows had been closed, and wait for them."""
        for window in self._windows:
            window.cancel()
        if self._windows:
            await asyncio.wait(self._windows, timeout=CLOSING_S)

    async def _page(self, request: web.Request) -> web.FileResponse:
        """Return the page, which holds no secret: it gets its key by `_session`."""
        del request
        return web.FileResponse(PAGE / "index.html")

    async def _session(self, request: web.Request) -> web.Response:
        """Exchange a start token for the key of a session; a valid key is returned as it is."""
        if "Origin" in request.headers and (
            key := self._access.exchange(request.headers.get(HEADER, ""))
        ):
            return web.Response(text=key)
        raise web.HTTPForbidden(text=REFUSED)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Show a dashboard until its window or the dashboard is closed."""
        if not self._access.is_key(offered_key(request)):
            raise web.HTTPForbidden(text=REFUSED)
        if self.connections and isinstance(request.protocol, WebConnection):
            self.connections.trust(request.protocol)
        task = asyncio.current_task()
        assert task
        self._windows.add(task)
        try:
            # Without what was offered: aiohttp would write the key into a log.
            plain = request.headers.copy()
            plain.popall("Sec-WebSocket-Protocol")
            return await super().handle_websocket(request.clone(headers=plain))
        finally:
            self._windows.discard(task)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
    if isinstance(response, web.WebSocketResponse):
        response.headers["Sec-WebSocket-Protocol"] = PROTOCOL  # browsers insist on an answer


class WebListener:
    """A running server; `close` it."""

    def __init__(self, runner: web.AppRunner, server: asyncio.Server) -> None:
        self._runner = runner
        self._server = server

    async def close(self) -> None:
        """Take no more connections, close the dashboards, then the rest."""
        self._server.close()
        await self._runner.cleanup()


async def listen(door: socket.socket, access: WebAccess) -> WebListener:
    """Serve on a socket that listens."""
    page = DashboardPage(access)
    runner = web.AppRunner(page.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    assert runner.server
    page.connections = WebConnections(runner.server)
    server = await asyncio.get_running_loop().create_server(page.connections, sock=door)
    return WebListener(runner, server)
