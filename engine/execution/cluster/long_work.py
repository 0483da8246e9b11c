"""Work of a node that takes long: its message is sent again, with the same token, until its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from engine.domain.errors import user_error
from engine.domain.text import printable_name

PAUSE_S = 1.0
"""The shortest time between two messages: a node that is not done waits before it answers."""
LONGEST_S = 6 * 3600.0
"""Longest work of nodes: work that is not done by then never is."""
Answer = TypeVar("Answer")


async def ended(
    node: str, ask: Callable[[], Awaitable[Answer]], is_done: Callable[[Answer], bool]
) -> Answer:
    """Return the answer of a node whose work is done; raises `UserError` where it never is."""
    clock = asyncio.get_running_loop().time
    until = clock() + LONGEST_S
    while True:
        asked_at = clock()
        answer = await ask()
        if is_done(answer):
            return answer
        if clock() >= until:
            name = printable_name(node)
            raise user_error("NODE_FAILED", f"The node {name} did not end what it was asked for.")
        await asyncio.sleep(max(0.0, asked_at + PAUSE_S - clock()))
