"""Work of a node that takes long: begun by one message, and asked for until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from engine.execution.cluster.archive import full_named
from engine.execution.cluster.workspace_messages import WAIT_S

KEPT = 200
"""Results that are kept, for a message whose answer was lost."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The result of an operation."""

    value: T


class Operations:
    """Operations by their tokens; a node that was started again knows none of them."""

    def __init__(self, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    async def result(
        self, token: str, work: Callable[[], Coroutine[Any, Any, T]]
    ) -> Done[T] | None:
        """Return the result of the work of this token, begun if it is not; None if not yet.

        Raises what the work raises.
        """
        task = cast("asyncio.Task[T] | None", self._tasks.get(token))
        if task is None:
            self._forget_some()
            task = self._tasks[token] = asyncio.create_task(_clear(work))
        # The work goes on where the message is given up.
        await asyncio.wait({task}, timeout=self._wait_s)
        if task.cancelled():  # the node ends: the next one begins it again
            return None
        return Done(task.result()) if task.done() else None

    async def ended(self, token: str) -> None:
        """Wait for the end of the work of a token, whatever comes of it."""
        if task := self._tasks.get(token):
            await asyncio.wait({task})

    def close(self) -> None:
        """End what is at work; the senders ask for it again."""
        for task in self._tasks.values():
            if task.done():
                _read(task)
            elif not task.get_loop().is_closed():
                task.add_done_callback(_read)
                task.cancel()
        self._tasks.clear()

    def _forget_some(self) -> None:
        done = [token for token, task in self._tasks.items() if task.done()]
        for token in done[: max(0, len(done) - KEPT)]:
            _read(self._tasks.pop(token))


def _read(task: asyncio.Task[Any]) -> None:
    """Take note of an error that no message asked for again."""
    if not task.cancelled():
        task.exception()


async def _clear(work: Callable[[], Awaitable[T]]) -> T:
    """Do the work; a full disk is named as one of the node."""
    with full_named():
        return await work()
