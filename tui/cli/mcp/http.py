"""The server over HTTP, as a part of the API: the token of a client decides about its tools.

The checks of the API come first: token, host, origin, rate and size.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from litestar import Litestar, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, AuthorizationContext
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from engine.domain.api_token import ApiToken
from engine.domain.api_token import Scope as TokenScope
from tui.cli.api.application import Mount
from tui.cli.api.context import ApiContext
from tui.cli.api.scopes import READ
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.server import Context, build_server

PATH = "/mcp"
SESSIONS = 100
SESSIONS_PER_TOKEN = 20
"""Sessions that may be open, in all and for one token; one without requests ends after `IDLE_S`."""
IDLE_S = 600.0
BODY_BYTES = 4 * 1024 * 1024


def mount(context: ApiContext) -> Mount:
    """Return the server as a part of the API."""

    def caller_of(asked: Context) -> Caller:
        token = asked.request.scope.get("auth") if asked.request else None
        scope = token.scope if isinstance(token, ApiToken) else TokenScope.READ
        return Caller(context.engine, scope)

    manager = SessionsOfTokens(
        build_server(caller_of),
        session_idle_timeout=IDLE_S,
        max_sessions=SESSIONS,
        max_request_body_size=BODY_BYTES,
    )

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncGenerator[None]:
        async with manager.run():
            yield

    return Mount(_handler(manager), running)


class SessionsOfTokens(StreamableHTTPSessionManager):
    """The open sessions. One token has some of them at most, and uses no session of another."""

    def _admit_session(
        self, requestor: AuthorizationContext | None
    ) -> StreamableHTTPServerTransport | None:
        """Return the transport of a new session; None where the token has no room for it."""
        own = sum(owner == requestor for owner in self._session_owners.values())
        return None if own >= SESSIONS_PER_TOKEN else super()._admit_session(requestor)


def _handler(manager: StreamableHTTPSessionManager) -> ASGIRouteHandler:
    @asgi(PATH, is_mount=True, copy_scope=True, opt=READ)
    async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of the protocol."""
        token = cast("dict[str, Any]", scope).get("auth")
        if isinstance(token, ApiToken):  # the owner of the sessions that it opens
            known = AccessToken(token=token.id, client_id=token.id, scopes=[token.scope.value])
            scope["user"] = AuthenticatedUser(known)
        await manager.handle_request(
            cast("dict[str, Any]", scope), cast("Any", receive), cast("Any", send)
        )

    return mcp
