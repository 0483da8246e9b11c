"""Work that is asked for at any rate and done as often as is good for everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from textual.widget import Widget
from textual.worker import Worker

FLUSH_S = 0.1
"""Live changes are painted at most this often: painting, not the events, is what keys wait for."""


class Throttle:
    """Limit on how often `work` is done: at once, or as soon as it is due again."""

    def __init__(self, widget: Widget, work: Callable[[], None]) -> None:
        self._widget = widget
        self._work = work
        self._done_at = 0.0
        self._is_due = False

    def ask(self) -> None:
        """Ask for the work to be done."""
        if self._is_due:
            return
        now = monotonic()
        if now - self._done_at >= FLUSH_S:
            self._do()
        else:
            self._is_due = True
            # All widgets at the same moments: the screen paints once for them together.
            self._widget.set_timer(FLUSH_S - now % FLUSH_S, self._do)

    def _do(self) -> None:
        self._is_due = False
        self._done_at = monotonic()
        if not is_being_removed(self._widget):
            self._work()


def is_being_removed(widget: Widget) -> bool:
    """Return whether the widget is being removed: its children may be gone already."""
    # Textual reports such a widget as not displayed, whatever its styles are.
    return not widget.display and widget.styles.display != "none"


SHARE = 10
"""Of the time, work in rounds takes a tenth at most."""


class BackgroundLoop:
    """Loop for work that takes a while, beside everything else: one round at a time.

    Requests during a round are done in the next one.
    """

    def __init__(
        self, widget: Widget, gap_s: float, work: Callable[[], Awaitable[None]], delay_s: float = 0
    ) -> None:
        self._widget = widget
        self._gap_s = gap_s
        self._work = work
        self._next_at = monotonic() + delay_s
        self._is_asked = False
        self._worker: Worker[None] | None = None

    def ask(self) -> None:
        """Ask for another round."""
        self._is_asked = True
        if self._worker is None:
            self._worker = self._widget.run_worker(self._go, group="rounds")

    def stop(self) -> None:
        """Do nothing any more."""
        self._is_asked = False
        if self._worker:
            self._worker.cancel()

    async def _go(self) -> None:
        try:
            while self._is_asked:
                await asyncio.sleep(max(0.0, self._next_at - monotonic()))
                self._is_asked = False
                began = monotonic()
                await self._work()
                self._next_at = monotonic() + max(self._gap_s, SHARE * (monotonic() - began))
        finally:
            self._worker = None  # also after a fault: the next request starts it again
