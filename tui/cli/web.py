"""The dashboard over HTTP: textual-serve with a guard before it, for one user on this machine."""

from __future__ import annotations

import asyncio
import hmac
import re
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp_jinja2
from aiohttp import web
from textual_serve.server import Server

from tui.cli.session import PROGRAM

HOST = "127.0.0.1"
LOOPBACK = frozenset({HOST, "localhost", "::1"})
CLOSING_S = 20.0
REFUSED = "403: open the address that `swarm-tui serve` printed; it holds the token.\n"
TERMINAL = "TERM=xterm-256color COLORTERM=truecolor LC_ALL=C.UTF-8"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ELSEWHERE = re.compile(r'<link\b[^>]*href="https?://[^>]*>')
"""A font that textual-serve's page asks another machine for, although it brings one."""
FOCUS = """<script>
new MutationObserver((_, watch) => {
  const keys = document.querySelector(".xterm-helper-textarea");
  if (keys) { watch.disconnect(); keys.focus(); }
}).observe(document.body, {childList: true, subtree: true});
</script>"""
"""Lets keys go to the dashboard without a click into it first."""


def headers(host: str) -> dict[str, str]:
    """Give what every answer says to browsers: nothing from elsewhere, in no frame, not kept."""
    own = "default-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    return {
        "Content-Security-Policy": f"{own}connect-src 'self' ws://{host}; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",
    }


class Guard:
    """Lets in who has the token, from a page of our own at a loopback address.

    The name in `Host` is checked because a foreign name can be made to lead to 127.0.0.1, and
    `Origin` because a foreign page can open a WebSocket here, with our cookie where the browser
    takes every port of a host for one site.
    """

    def __init__(self, token: str, port: int) -> None:
        self._token = token.encode()
        self._cookie = f"swarm-tui-{port}"

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer 403, exchange the token in the address for a cookie, or let the request pass."""
        if not self._is_local(request):
            raise web.HTTPForbidden(text=REFUSED)
        if request.path == "/" and self._is_right(request.query.get("token", "")):
            answer = web.HTTPSeeOther("/")  # the token stays in no address bar and no history
            answer.set_cookie(
                self._cookie, self._token.decode(), httponly=True, samesite="Strict", path="/"
            )
            raise answer
        if not self._is_right(request.cookies.get(self._cookie, "")):
            raise web.HTTPForbidden(text=REFUSED)
        return await handler(request)

    def _is_right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._token)

    def _is_local(self, request: web.Request) -> bool:
        try:
            name = urlsplit(f"//{request.host}").hostname
        except ValueError:
            return False
        origin = request.headers.get("Origin", f"http://{request.host}")
        return name in LOOPBACK and origin == f"http://{request.host}"


class Page(Server):
    """textual-serve's server without its banner; every window is a dashboard in a process."""

    def __init__(self, guard: Guard) -> None:
        words = shlex.join([sys.executable, str(PROGRAM)])
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            f"{TERMINAL} exec {words}", host=HOST, title="swarm-tui"
        )
        self._guard = guard
        self._windows: set[asyncio.Task[object]] = set()

    async def application(self) -> web.Application:
        """Make the application, guard included."""
        application = await self._make_app()
        application.middlewares.append(self._guard.check)
        application.on_response_prepare.append(_add_headers)
        return application

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: who called knows better when it listens."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Close the dashboards as if their windows had been closed, and wait for them."""
        for window in self._windows:
            window.cancel()
        if self._windows:
            await asyncio.wait(self._windows, timeout=CLOSING_S)

    async def handle_index(self, request: web.Request) -> web.Response:
        """Give the page; all of its addresses are those the browser came by."""
        page = {
            "font_size": 16,
            "app_websocket_url": f"ws://{request.host}/ws",
            "config": {"static": {"url": "/static/"}},
            "application": {"name": self.title},
        }
        text = aiohttp_jinja2.render_string("app_index.html", request, page)
        text = ELSEWHERE.sub("", text).replace("</body>", f"{FOCUS}</body>")
        return web.Response(text=text, content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Show a dashboard until its window or the dashboard is closed."""
        task = asyncio.current_task()
        assert task
        self._windows.add(task)
        try:
            return await super().handle_websocket(request)
        finally:
            self._windows.discard(task)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(headers(request.host))


async def listen(door: socket.socket, token: str) -> web.AppRunner:
    """Serve on a bound socket until the runner that this gives is cleaned up."""
    page = Page(Guard(token, door.getsockname()[1]))
    runner = web.AppRunner(await page.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, door).start()
    return runner
