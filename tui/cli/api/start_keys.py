"""`Idempotency-Key`: a client that repeats a request to start runs, starts them once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from litestar import Request
from litestar.params import HeaderParameter

from engine.domain.errors import UserError, user_error
from engine.domain.start_key import StartKey
from engine.ports.engine import EnginePort
from tui.cli.api.clients import client_id
from tui.cli.api.encoding import to_json
from tui.cli.json.base import Shape

NAME = "Idempotency-Key"
REPLAYED = {"Idempotency-Replayed": "true"}
"""The header of an answer to a repeated request."""
_FORM = re.compile(r"[\x21-\x7e]{1,255}")

StartKeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name=NAME,
        description="a value that no other request has, such as a UUID: the same request, sent "
        "again within 24 hours, starts nothing and is answered with what the first one started",
    ),
]


def start_key(request: Request[Any, Any, Any], given: str | None, body: Shape) -> StartKey | None:
    """Return the key of a request, if it has one; raises `UserError`."""
    if given is None:
        return None
    if len(request.headers.getall(NAME)) > 1 or not _FORM.fullmatch(given):
        message = f"`{NAME}` has 1 to 255 visible ASCII characters, and is sent once."
        raise user_error("INPUT_INVALID", message)
    content = b" ".join((request.url.path.encode(), to_json(body)))
    return StartKey(client_id(request), given, hashlib.sha256(content).hexdigest())


async def start_once(
    engine: EnginePort, key: StartKey | None, start: Callable[[], Awaitable[str]]
) -> tuple[str, bool]:
    """Return the id of what `start` started, or a request with this key before; and whether it did.

    `start` passes the key on to the engine, which stores it together with what it starts.
    """
    if key is None:
        return await start(), False
    if found := await engine.api_tokens.started_with(key):
        return found.started, True
    try:
        return await start(), False
    except UserError:
        # The same request may have come twice at once; then it is the other one that failed here.
        if found := await engine.api_tokens.started_with(key):
            return found.started, True
        raise
