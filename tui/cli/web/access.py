"""Access to the dashboard in a browser: a token for one use, exchanged for the key of a session.

There is no cookie: browsers send cookies to every port of an address, and so to whatever an agent
serves there. Pages hold the key, and only pages of this very origin can read it.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

TOKEN_S = 300.0
"""Time for which a start token can be exchanged."""
MOST_SESSIONS = 64
PROTOCOL = "swarm-tui"
"""The WebSocket protocol; the key is offered as a second one, because browsers set no header."""
HEADER = "X-Swarm-Tui"
REFUSED = "403: open the address that `swarm-tui serve` printed; press Enter there for a new one.\n"
_HOST = re.compile(r"(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d{1,5})?")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebAccess:
    """Start tokens and the keys of sessions; in memory only, gone with the process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._token = b""
        self._expires = 0.0
        self._keys: list[bytes] = []

    def new_token(self) -> str:
        """Return a start token; an earlier one is no longer valid."""
        token = secrets.token_urlsafe(32)
        self._token, self._expires = token.encode(), self._clock() + TOKEN_S
        return token

    def exchange(self, given: str) -> str | None:
        """Return the key of a new session for the start token, or a valid key itself."""
        if self.is_key(given):
            return given
        is_token = bool(self._token) and hmac.compare_digest(_bytes(given), self._token)
        if not is_token or self._clock() > self._expires:
            return None
        self._token = b""
        key = secrets.token_urlsafe(32)
        self._keys = [*self._keys, key.encode()][-MOST_SESSIONS:]
        return key

    def is_key(self, given: str) -> bool:
        """Return whether this is the key of a session."""
        # All are compared, so that the time reveals nothing.
        return sum([hmac.compare_digest(_bytes(given), key) for key in self._keys]) > 0


@web.middleware
async def check_source(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 403 unless the request is for a loopback name and from our own page, if from any.

    A foreign name can be made to lead to a loopback address, and a foreign page, also one of
    another port here, can send requests. Nothing of the request is repeated in the answer.
    """
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise web.HTTPForbidden(text=REFUSED)
    origins = request.headers.getall("Origin", [])
    if any(origin != f"http://{hosts[0]}" for origin in origins):
        raise web.HTTPForbidden(text=REFUSED)
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("none", "same-origin") and request.path != "/":
        raise web.HTTPForbidden(text=REFUSED)
    return await handler(request)


def offered_key(request: web.Request) -> str:
    """Return what a WebSocket offers as the key, if it comes from a page."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
    is_ours = len(offered) == 2 and offered[0] == PROTOCOL and "Origin" in request.headers
    return offered[1] if is_ours else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
