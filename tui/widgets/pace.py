"""Work that is asked for at any rate and done at most ten times a second."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from textual.widget import Widget

FLUSH_S = 0.1
"""Live changes are painted at most this often: painting, not the events, is what keys wait for."""


class Pace:
    """Does `work` at once when it was not done lately, else as soon as it is due again."""

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
        self._work()
