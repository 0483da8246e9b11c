"""Work that is done whole or not at all: it may be stopped until it changes something for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class WorkStopped(Exception):
    """The caller was cancelled, and all that was begun can be taken back."""


class Stop:
    """The way in which one piece of work learns that its caller was cancelled."""

    def __init__(self) -> None:
        self._is_wanted = False
        self.has_begun = False

    def begin(self) -> None:
        """Keep cancels from ending the work in the middle from now on; `check` still raises."""
        self.has_begun = True

    def check(self) -> None:
        """Raise `WorkStopped` once the caller was cancelled; to be called in any thread."""
        if self._is_wanted:
            raise WorkStopped

    def want(self) -> None:
        """Make `check` raise from now on."""
        self._is_wanted = True


async def stoppable(work: Callable[[Stop], Coroutine[Any, Any, T]]) -> T:
    """Do work to its end, or stop it where the caller is cancelled.

    Until the work calls `Stop.begin`, a cancel is passed on to it. After that, only `Stop.check`
    raises, and work that does not call it any more returns its result as usual.
    """
    stop, cancelled = Stop(), 0
    task = asyncio.ensure_future(work(stop))
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled += 1
            stop.want()
            if not stop.has_begun:
                task.cancel()
    try:
        done = task.result()
    except WorkStopped as stopped:
        raise asyncio.CancelledError from stopped
    if caller := asyncio.current_task():
        for _ in range(cancelled):
            caller.uncancel()
    return done
