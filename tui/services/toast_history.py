"""Toasts shown so far, and the bell that rings when a run needs the user."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.notifications import SeverityLevel
from textual.timer import Timer

from tui.models.run_standings import AT_ONCE
from tui.services.alerts import GAP_S, AlertTracker, desktop
from tui.widgets.status.toast import ToastRecord

if TYPE_CHECKING:
    from engine.engine import EventBatch
    from tui.app import SwarmApp

KEPT = 200
_TONES = {"information": "plain", "warning": "warn", "error": "bad"}


class ToastHistory:
    """Toasts and alerts of an app; an alert also rings the terminal's bell."""

    def __init__(self, app: SwarmApp) -> None:
        self._app = app
        self.records: deque[ToastRecord] = deque(maxlen=KEPT)
        """Toasts and alerts, the newest first."""
        self._tracker = AlertTracker()
        self._held: list[str] = []
        self._silence: Timer | None = None

    def remember(self, message: str, title: str, severity: SeverityLevel) -> None:
        """Remember a toast."""
        self._record(f"{title}: {message}" if title else message, _TONES[severity])

    def fitted(self, message: str, title: str) -> tuple[str, str]:
        """Return the message and the title of a toast as they fit the screen.

        Where code is read, it is one line: more would cover the code.
        """
        stack = self._app.screen_stack
        if not (stack and getattr(stack[-1], "has_flat_toasts", False)):
            return message, title
        line = " ".join(message.split("\n")).strip()
        return (f"{title}: {line}" if title else line), ""

    def begin_alerts(self) -> None:
        """Take the present state as known: it causes no alert."""
        engine = self._app.engine
        ids = sorted(engine.view.runs, reverse=True)  # ids begin with the time
        self._tracker.begin(engine.pause)
        self._know(ids[:AT_ONCE])
        if rest := ids[AT_ONCE:]:
            self._app.run_worker(self._know_rest(rest), group="alerts")

    async def _know_rest(self, ids: Sequence[str]) -> None:
        """Take the state of the other runs of a home with very many as known."""
        from tui.models.slices import slices  # few homes have as many

        async for some in slices(ids):
            self._know(some)

    def _know(self, ids: Sequence[str]) -> None:
        runs = self._app.engine.view.runs
        self._tracker.know(runs[run_id] for run_id in ids if run_id in runs)

    def alert(self, batch: EventBatch) -> None:
        """Ring where an event needs the user, or ends a run."""
        engine = self._app.engine
        view = engine.view
        alerts = self._tracker.hear(view.runs, batch.runs, view.live, engine.pause)
        for line in alerts:
            self._record(line, "warn")
        if alerts and engine.config.notify.bell:
            self._held += alerts
            if self._silence is None:
                self._ring()

    def _ring(self) -> None:
        """Ring for all held alerts, then stay quiet for a moment."""
        self._silence = None
        if not self._held:
            return
        self._app.bell()
        self._app.write_control(desktop(self._held))
        self._held = []
        self._silence = self._app.set_timer(GAP_S, self._ring)

    def _record(self, text: str, tone: str) -> None:
        self.records.appendleft(ToastRecord(self._app.clock(), text, tone))
