"""`asyncio.timeout` for limits of many seconds, whose timer keeps nothing alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import Context


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncGenerator[None]:
    """Raise `TimeoutError` where the block takes longer.

    asyncio keeps the timer of a block that ended in time until it would have been due, and with it
    the context in which it was made: in the dashboard, a closed screen with all of its widgets.
    """
    async with asyncio.timeout(None) as limit:
        Context().run(limit.reschedule, asyncio.get_running_loop().time() + seconds)
        yield
