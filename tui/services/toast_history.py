"""What the dashboard tells its user beside the screen, and what it has told so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.notifications import SeverityLevel
from textual.timer import Timer

from tui.services.alerts import GAP_S, AlertTracker, desktop
from tui.services.queue_actions import QueueActions
from tui.widgets.status.toast import ToastRecord

if TYPE_CHECKING:
    from engine.engine import Engine, EventBatch

KEPT = 200
_TONES = {"information": "plain", "warning": "warn", "error": "bad"}


class ToastHistory(QueueActions):
    """An app that rings when somebody is needed, and remembers its toasts."""

    def __init__(self, engine: Engine, clock: Callable[[], float], *, goes_on: bool) -> None:
        super().__init__(engine, clock, goes_on=goes_on)
        self.told: deque[ToastRecord] = deque(maxlen=KEPT)
        """What was told here, the newest first."""
        self._attention = AlertTracker()
        self._held: list[str] = []
        self._silence: Timer | None = None

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a toast, and remember it."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)
        self._remember(f"{title}: {message}" if title else message, _TONES[severity])

    def begin_to_tell(self) -> None:
        """Take in how things stand: that is no news."""
        self._attention.begin(self.engine.view.runs, self.engine.pause)

    def tell_of(self, batch: EventBatch) -> None:
        """Ring where something that happened needs the user, or has ended."""
        view = self.engine.view
        told = self._attention.hear(view.runs, batch.runs, view.live, self.engine.pause)
        for line in told:
            self._remember(line, "warn")
        if told and self.engine.config.notify.bell:
            self._held += told
            if self._silence is None:
                self._ring()

    def _ring(self) -> None:
        """Ring for all that is held back, then keep quiet for a moment."""
        self._silence = None
        if not self._held:
            return
        self.bell()
        self._tell_desktop(self._held)
        self._held = []
        self._silence = self.set_timer(GAP_S, self._ring)

    def _tell_desktop(self, told: Sequence[str]) -> None:
        driver = self._driver
        if driver is not None and not self.is_headless and not self.is_web:
            driver.write(desktop(told))

    def _remember(self, text: str, tone: str) -> None:
        self.told.appendleft(ToastRecord(self.clock(), text, tone))
