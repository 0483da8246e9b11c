"""Signals of writes to a file, where the system has them: no polling meanwhile."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

_EVENTS_BYTES = 65_536


class WriteSignal:
    """A context in which one can wait until a file is written.

    Where the system has no signals, waiting ends at once: the file may have been written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._watch: int | None = None

    def __enter__(self) -> Self:
        if self._path and sys.platform == "linux":
            self._watch = _watch(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            os.close(self._watch)

    async def wait(self, limit_s: float) -> None:
        """Wait until the file was written since the last time, but only for so long."""
        if self._watch is None:
            return
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._watch, told.set)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await told.wait()
        finally:
            loop.remove_reader(self._watch)
        with suppress(BlockingIOError):
            os.read(self._watch, _EVENTS_BYTES)


def _watch(path: Path) -> int | None:
    """Return an inotify handle for writes to a file; None where its limits are reached."""
    from engine.system import inotify  # not before there is something to be seen

    try:
        watch = inotify.init()
    except OSError:
        return None
    try:
        inotify.add(watch, str(path), inotify.MODIFY)
    except OSError:
        os.close(watch)
        return None
    return watch
