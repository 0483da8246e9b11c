"""Work over very many runs, a slice at a time: keys are read between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")
SLICE = 500
"""Runs of a slice, of which each takes some microseconds."""
PAUSE_S = 0.003
"""Pause in which keys are read: a key takes several steps of the event loop."""


async def slices(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """Yield the items in slices, with a pause before each."""
    for start in range(0, len(items), SLICE):
        await asyncio.sleep(PAUSE_S)
        yield items[start : start + SLICE]
