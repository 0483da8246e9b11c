"""The rate-limit windows of accounts as runs reported them last, and the account to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.domain.account import account_name
from engine.domain.events import Event, LimitsSeen
from engine.domain.model import LimitWindow, Run


class AccountLimits:
    """Windows by account; the account that is used most is shown."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[LimitWindow, ...]] = {}
        self._told_at: dict[str, float] = {}

    def load(self, runs: Iterable[Run]) -> None:
        """Add the windows that these runs reported last, where none are known from later."""
        for run in runs:
            if run.has_limits:
                account = account_name(run)
                if self._told_at.get(account, 0.0) <= run.last_event_at:
                    self._windows[account] = run.limits
                    self._told_at[account] = run.last_event_at

    def hear(self, events: Iterable[Event], runs: Mapping[str, Run]) -> bool:
        """Add the windows in events; return whether there were any."""
        found = [event for event in events if isinstance(event.body, LimitsSeen)]
        for event in found:
            run = runs.get(event.run)
            if run and isinstance(event.body, LimitsSeen):
                account = account_name(run)
                self._windows[account], self._told_at[account] = event.body.windows, event.at
        return bool(found)

    def shown(self, now: float) -> tuple[str, tuple[LimitWindow, ...]]:
        """Return the account to show with its windows; its name is empty where there is one."""
        if not self._windows:
            return "", ()
        used = {name: _used_percent(windows, now) for name, windows in self._windows.items()}
        account = max(used, key=lambda name: used[name])
        return account if len(used) > 1 else "", self._windows[account]


def _used_percent(windows: Iterable[LimitWindow], now: float) -> float:
    """Return the most used percent of the windows that have not reset; -1: all have."""
    live = (one for one in windows if one.resets_at is None or one.resets_at > now)
    return max((one.used_percent for one in live), default=-1.0)
