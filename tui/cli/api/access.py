"""Access to the API: who may send a request, and from where.

Each request is checked before anything of it is used: its names and sources, then its token, then
its rate. The scope of its operation is checked by `check_scope`. There are no cookies, so that no
page in a browser can act for the user.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any, cast

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.routes import ASGIRoute, BaseRoute, HTTPRoute, WebSocketRoute
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from engine.domain.api_token import ApiToken
from engine.domain.api_token import Scope as TokenScope
from engine.domain.errors import UserError, user_error
from tui.cli.api import limits
from tui.cli.api.context import ApiContext
from tui.cli.api.description import PATH
from tui.cli.api.encoding import to_json
from tui.cli.api.limits import LimitedBody, RateLimiter
from tui.cli.api.problems import MEDIA_TYPE, problem_content, status_of
from tui.cli.api.scopes import SCOPE
from tui.cli.api.streams import OpenStreams

if TYPE_CHECKING:
    from engine.config.settings import ApiSettings

HEALTH = "/v1/health"
PUBLIC = frozenset({"/", PATH, HEALTH})
"""Paths that need no token: the description (also at `/`) and the version, nothing of the home."""
CHALLENGE = 'Bearer realm="swarm-tui"'
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of every answer that does not set them itself."""
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
WAIT_S = 5.0
"""Seconds after which a client may try again where nothing more precise is known."""
_STREAM = b"text/event-stream"
_LOOPBACK = re.compile(r"(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d{1,5})?")
_BEARER = re.compile(rb"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")
_TOKEN = "auth"
"""The key of a request under which the framework and operations find the client's token."""


def protected(app: Litestar, context: ApiContext, names: Iterable[str] = ()) -> Litestar:
    """Return the application behind all checks; `names` are the hosts beside the loopback ones.

    Raises ValueError for an operation without a scope.
    """
    check_operations(app)
    settings = context.engine.config.api
    streams = OpenStreams(context, settings.streams, settings.streams_per_token)
    allowed = [*settings.names, *names]
    app.asgi_handler = ApiAccess(app.asgi_handler, context, settings, allowed, streams)
    return app


def check_operations(app: Litestar) -> None:
    """Raise ValueError where an operation has no scope: it would be open to every token."""
    for route in app.routes:
        for handler in _handlers_of(route):
            if (
                route.path not in PUBLIC
                and SCOPE not in handler.opt
                and not _is_of_framework(handler)
            ):
                raise ValueError(f"the operation {handler} of {route.path} has no scope")


def _handlers_of(route: BaseRoute) -> Sequence[BaseRouteHandler]:
    if isinstance(route, HTTPRoute):
        return route.route_handlers
    assert isinstance(route, ASGIRoute | WebSocketRoute)
    return [route.route_handler]


def _is_of_framework(handler: BaseRouteHandler) -> bool:
    """Return whether it is the framework's own: the description, and answers to unknown paths."""
    return str(handler.fn.__module__).startswith("litestar.")


def check_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise `UserError` API_SCOPE_MISSING where the client's token does not permit an operation.

    A request without a token comes from this process, or is for a public path.
    """
    if _is_of_framework(handler):
        if connection.scope["path"] not in PUBLIC:
            raise NotFoundException  # as a problem, instead of a page
        return
    token = cast("dict[str, Any]", connection.scope).get(_TOKEN)
    needed = handler.opt.get(SCOPE)
    if not isinstance(token, ApiToken):
        return
    if isinstance(needed, TokenScope) and token.scope.permits(needed):
        return
    need = f"The operation needs a token with the scope {needed or 'admin'}."
    raise user_error("API_SCOPE_MISSING", need)


class ApiAccess:
    """The checks around an application; refusals are problem details."""

    def __init__(
        self,
        app: ASGIApp,
        context: ApiContext,
        settings: ApiSettings,
        names: Iterable[str],
        streams: OpenStreams,
    ) -> None:
        self._app = app
        self._context = context
        self._body_limit = settings.body_limit
        self._names = {name.lower() for name in names}
        self._streams = streams
        self._requests = RateLimiter(settings.requests_per_minute)
        self._failures = RateLimiter(settings.failures_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return  # websockets are not offered
        try:
            self._check_source(scope)
            token = None if scope["path"] in PUBLIC else await self._client(scope)
        except UserError as error:
            await _refuse(send, error)
            return
        except TooManyRequestsError as error:
            await _refuse(send, user_error("API_LIMIT_REACHED", str(error)), wait_s=error.wait_s)
            return
        except HTTPException as error:
            status = HTTPStatus(error.status_code)
            await _refuse(send, user_error("INPUT_INVALID", error.detail), status)
            return
        scope[_TOKEN] = token
        body = LimitedBody(receive, self._body_limit, limits.BODY_S)
        await Answer(self._streams, token, send).of(self._app, scope, body)

    def _check_source(self, scope: HTTPScope) -> None:
        """Refuse requests for another name or from another page, and those of odd form.

        A foreign name can be made to lead to this machine, and a foreign page can send requests.
        Nothing of the request is repeated in the answer.
        """
        headers = list(scope["headers"])
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise user_error("API_REQUEST_REFUSED", "The request is for another host.")
        ours = f"{scope['scheme']}://{hosts[0]}".lower().encode("latin-1")
        if any(name == b"origin" and value.lower() != ours for name, value in headers):
            raise user_error("API_REQUEST_REFUSED", "The request is from a page of another origin.")
        sites = [value for name, value in headers if name == b"sec-fetch-site"]
        if any(site not in (b"none", b"same-origin") for site in sites):
            raise user_error("API_REQUEST_REFUSED", "The request is from a page of another origin.")
        if not scope["raw_path"].startswith(b"/") or scope["method"] in ("CONNECT", "OPTIONS"):
            raise HTTPException("The request has another form.", status_code=400)
        size = sum(len(name) + len(value) for name, value in headers)
        size += len(scope["raw_path"]) + len(scope["query_string"])
        if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise HTTPException("The headers of the request are too large.", status_code=status)
        _check_length(headers, self._body_limit)

    def _is_ours(self, host: str) -> bool:
        name = host.lower()
        return bool(_LOOPBACK.fullmatch(name)) or re.sub(r":\d{1,5}\Z", "", name) in self._names

    async def _client(self, scope: HTTPScope) -> ApiToken:
        """Return the token of the client; raises `UserError`."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        found = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
        secret = found[1].decode("ascii") if found else ""
        token = await self._context.engine.api_tokens.verify(secret) if secret else None
        if token is None:
            # A valid token is never kept out by the failures of others from the same address.
            if wait_s := self._failures.admit((scope["client"] or ("", 0))[0]):
                raise TooManyRequestsError("Too many requests without a valid token.", wait_s)
            raise user_error("API_TOKEN_INVALID")
        if wait_s := self._requests.admit(token.id):
            raise TooManyRequestsError("This token sent too many requests.", wait_s)
        return token


class TooManyRequestsError(Exception):
    """Too many requests; one is permitted again after some seconds."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Answer:
    """The answer to one request: with our headers, and counted if it is a stream."""

    def __init__(self, streams: OpenStreams, token: ApiToken | None, send: Send) -> None:
        self._streams = streams
        self._token = token
        self._send = send
        self._task = asyncio.current_task()
        self._is_refused = False

    async def of(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        """Pass the request to an application; a stream may be ended early by `OpenStreams`."""
        try:
            await app(scope, receive, self._pass_on)
        except asyncio.CancelledError:
            if not self._streams.is_ended(self._task):
                raise
            # The answer stays incomplete, so that the client sees that it was cut.
        except TooManyStreamsError:
            pass  # it was answered
        finally:
            self._streams.remove(self._task)

    async def _pass_on(self, message: Message) -> None:
        if self._is_refused:
            return
        if message["type"] == "http.response.start":
            headers = [(name.lower(), value) for name, value in message["headers"]]
            present = {name for name, _ in headers}
            message["headers"] = [*headers, *(one for one in HEADERS if one[0] not in present)]
            if (
                self._token
                and self._task
                and dict(headers).get(b"content-type", b"").startswith(_STREAM)
            ):
                await self._count(self._token, self._task)
        await self._send(message)

    async def _count(self, token: ApiToken, task: asyncio.Task[object]) -> None:
        try:
            self._streams.add(token, task)
        except UserError as error:
            self._is_refused = True
            await _refuse(self._send, error)
            raise TooManyStreamsError from None


class TooManyStreamsError(Exception):
    """A stream that was refused when it was about to begin."""


async def _refuse(
    send: Send, error: UserError, status: HTTPStatus | None = None, wait_s: float = WAIT_S
) -> None:
    """Answer with problem details; the connection ends, for the body was not read."""
    status = status or status_of(error.info.code)
    body = to_json(problem_content(status, error))
    headers = [
        *HEADERS,
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if status is HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", CHALLENGE.encode()))
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        headers.append((b"retry-after", b"%d" % max(1, ceil(wait_s))))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _check_length(headers: Iterable[tuple[bytes, bytes]], limit_bytes: int) -> None:
    """Refuse a body whose stated length is too large, before any of it is read."""
    lengths = [value for name, value in headers if name == b"content-length"]
    if any(not value.isdigit() or len(value) > 18 or int(value) > limit_bytes for value in lengths):
        raise limits.too_large()
