"""Limits of the API: requests in a minute, the size and the time of a request's body."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from litestar.exceptions import HTTPException
from litestar.types import HTTPReceiveMessage, Receive

MINUTE_S = 60.0
KEYS = 4096
BODY_S = 30.0
"""Seconds that the body of a request may take, whatever of it arrives meanwhile."""


class RateLimiter:
    """So many requests in a minute for each key; all of them may come at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = MINUTE_S / per_minute
        self._clock = clock
        # When each key has used nothing any more: one number instead of a list of times.
        self._free_at: OrderedDict[str, float] = OrderedDict()

    def admit(self, key: str) -> float:
        """Count a request; return the seconds to wait until one is permitted, 0 for this one."""
        now = self._clock()
        free_at = max(self._free_at.get(key, now), now) + self._interval_s
        if free_at - now > MINUTE_S + 1e-6:
            return free_at - now - MINUTE_S
        self._free_at[key] = free_at
        self._free_at.move_to_end(key)
        while len(self._free_at) > KEYS:
            self._free_at.popitem(last=False)
        return 0


class LimitedBody:
    """The body of a request as it is received: refused where it is too large or too slow."""

    def __init__(self, receive: Receive, limit_bytes: int, limit_s: float) -> None:
        self._receive = receive
        self._left = limit_bytes
        self._ends_at = asyncio.get_running_loop().time() + limit_s
        self._is_complete = False

    async def __call__(self) -> HTTPReceiveMessage:
        """Return the next message; raises HTTPException."""
        if self._is_complete:
            return await self._receive()  # type: ignore[return-value]  an HTTP request has no other
        try:
            async with asyncio.timeout_at(self._ends_at):
                message = await self._receive()
        except TimeoutError:
            status = HTTPStatus.REQUEST_TIMEOUT
            raise HTTPException("The body took too long.", status_code=status) from None
        if message["type"] == "http.request":
            self._left -= len(message["body"])
            self._is_complete = not message["more_body"]
            if self._left < 0:
                raise too_large()
        return message  # type: ignore[return-value]  an HTTP request has no other


def too_large() -> HTTPException:
    """Return the refusal of a body that is too large."""
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return HTTPException("The body is too large.", status_code=status)
