"""Reading of the ledger for the usage screen: at once for the user, else every few seconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.timer import Timer

from engine.domain.errors import UserError
from engine.domain.events import Event, LimitsSeen, StatusChanged, UsageCounted
from tui.formatting.usage import row_name
from tui.models.usage_feed import RowName, UsageAnswer, read_usage
from tui.models.usage_options import UsageOptions
from tui.widgets.base.throttle import BackgroundLoop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.screens.usage import UsageScreen

GAP_S = 2.0
"""Seconds from one reading of the ledger to the next, while events ask for it."""
AGAIN_S = 30.0
"""Seconds after which it is read again without an event: other sessions report none."""
PAUSE_S = 0.12
"""Seconds without a key after which the filter applies."""
CHANGES = (UsageCounted, LimitsSeen, StatusChanged)


class UsageRefresh:
    """The last answer of the ledger, which stays until the next one is there."""

    def __init__(self, screen: UsageScreen, fail: Callable[[UserError], None]) -> None:
        self._screen, self._fail = screen, fail
        self.answer: UsageAnswer | None = None
        self._loop = BackgroundLoop(screen, GAP_S, self.read)
        self._soon: Timer | None = None
        self._read_at = 0.0

    def ask(self) -> None:
        """Read it again, at most every two seconds."""
        self._loop.ask()

    def hear(self, events: Iterable[Event]) -> None:
        """Read it again after events that change it."""
        if any(isinstance(event.body, CHANGES) for event in events):
            self.ask()

    def tick(self) -> None:
        """Read it again while other sessions are read, and from time to time."""
        is_reading = self.answer is not None and self.answer.report.is_reading
        if is_reading or self._screen.clock() - self._read_at >= AGAIN_S:
            self.ask()

    def read_now(self) -> None:
        """Read it at once, as the user asked."""
        if self._soon:
            self._soon.stop()
        self._screen.run_worker(self.read, group="usage", exclusive=True)

    def read_soon(self) -> None:
        """Read it when the user stops typing."""
        if self._soon:
            self._soon.stop()
        self._soon = self._screen.set_timer(PAUSE_S, self.read_now)

    async def read(self) -> None:
        """Read it, and show the answer unless another question was asked since."""
        screen = self._screen
        options, now = screen.options, screen.clock()
        self._read_at = now
        names = self.names(options, now)
        try:
            answer = await read_usage(screen.engine, options, now, screen.chart.columns, names)
        except UserError as error:
            self._fail(error)
            return
        if options == screen.options:
            self.answer = answer
            screen.show_answer()

    def names(self, options: UsageOptions, now: float) -> RowName:
        """Return the function that names the rows of an answer."""
        return partial(row_name, by=options.by, runs=self._screen.engine.view.runs, now=now)
