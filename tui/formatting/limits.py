"""Formatting of the plan's rate-limit windows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.domain.model import LimitWindow
from tui.formatting.symbols import sign
from tui.terminal.cells import clean

WARN_PERCENT = 80.0
"""From here on a window is worth a warning colour."""


def window_name(window: LimitWindow) -> str:
    """Name a window by its length, as people know it: `5h`, `week`; else by its own name."""
    minutes = window.window_minutes
    if not minutes or minutes < 0:
        return clean(window.name, 20)
    if minutes == 7 * 1440:
        return "week"
    for unit, name in ((1440, "d"), (60, "h")):
        if minutes >= unit and minutes % unit == 0:
            return f"{minutes // unit}{name}"
    return f"{minutes}m"


def clock_time(at: float, now: float) -> str:
    """Write a time to come as `15:30`, on another day `Mon 15:30`, far away `3 Dec`."""
    try:
        then, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now).date()
    except (ValueError, OverflowError, OSError):
        return "?"
    if then.date() == today:
        return f"{then:%H:%M}"
    if then.date() < today + timedelta(days=7):
        return f"{then:%a %H:%M}"
    return f"{then.day} {then:%b}"


def limits(
    windows: Iterable[LimitWindow], now: float, *, brief: bool = False
) -> list[tuple[str, str]]:
    """Write windows that have not reset since as texts with tones: `5h 42% ↻ 15:30`."""
    shown: list[tuple[str, str]] = []
    for window in windows:
        at = window.resets_at
        if at is not None and at <= now:
            continue
        when = f" {sign('↻', 'until')} {clock_time(at, now)}" if at is not None else ""
        text = f"{window_name(window)} {window.used_percent:.0f}%{'' if brief else when}"
        shown.append((text, "warn" if window.used_percent >= WARN_PERCENT else "dim"))
    return shown
