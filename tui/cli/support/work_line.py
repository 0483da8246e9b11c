"""Progress of a command in many steps, on a line of stderr; Ctrl-C ends it between two steps."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from tui.cli.support import output, session
from tui.formatting.work_progress import WorkProgress
from tui.terminal.cells import crop

PATIENCE_S = 1.0
"""Time for which a command is silent: what is done by then needs no progress."""
EVERY_S = 0.1
HINT = "Ctrl-C stops"
T = TypeVar("T")


class WorkLine:
    """Line with a count and the time left, drawn over itself; only on a terminal."""

    def __init__(self, began: float | None = None) -> None:
        self._stopped: list[signal.Signals] = []
        self._is_drawn = output.is_terminal(sys.stderr)
        self._progress: WorkProgress | None = None
        self._began = time.monotonic() if began is None else began
        self._drawn_at = 0.0
        self._is_there = False
        self._cancelled: asyncio.Task[Any] | None = None

    @property
    def is_stopped(self) -> bool:
        """True if the user wants the command to end."""
        return bool(self._stopped)

    def hear(self, heard: signal.Signals) -> None:
        """End after this step, or in the middle of one that may be left at any time."""
        self._stopped.append(heard)
        if self._cancelled:
            self._cancelled.cancel()

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do what changes nothing, or leaves nothing half done; None if the user stopped it."""
        if self.is_stopped:
            work.close()
            return None
        self._cancelled = asyncio.ensure_future(work)
        try:
            return await self._cancelled
        except asyncio.CancelledError:
            if not self.is_stopped:
                raise
            return None
        finally:
            self._cancelled = None

    def begin(self, what: str, of: int = 0) -> None:
        """Begin with another piece of the work."""
        self._progress, self._drawn_at = WorkProgress(what, of), 0.0

    def tell_of(self, what: str, done: int, of: int) -> None:
        """Show how many steps of which piece of the work are done."""
        if self._progress is None or self._progress.what != what:
            self.begin(what, of)
        self.tell(done, of)

    def tell(self, done: int, of: int | None = None) -> None:
        """Show how many steps are done."""
        if self._progress is None:
            return
        words, now = self._progress.at(done, of), time.monotonic()
        if self._is_drawn and now - max(self._began + PATIENCE_S, self._drawn_at + EVERY_S) > 0:
            self._drawn_at = now
            self._draw("Stopping …" if self.is_stopped else f"{words} · {HINT}")

    def say(self, text: str) -> None:
        """Write a line to stdout, above this one."""
        self.clear()
        output.say(text)

    def clear(self) -> None:
        """Remove the line."""
        if self._is_there:
            self._is_there = False
            output.draw_aside("\r\x1b[K")

    def _draw(self, words: str) -> None:
        self._is_there = True
        width = shutil.get_terminal_size().columns - 1
        output.draw_aside(f"\r{crop(words, width)}\x1b[K")


@contextmanager
def work_line(began: float | None = None) -> Generator[WorkLine]:
    """Yield the line of a command; a signal that would end the command sets `is_stopped`.

    `began` is when an earlier part of the same work did (`time.monotonic`).
    """
    line = WorkLine(began)
    with session.stops(line.hear):
        try:
            yield line
        finally:
            line.clear()
