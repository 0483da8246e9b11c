"""Formatting of the plan's rate-limit windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.domain.clock_time import clock_time
from engine.domain.model import LimitWindow
from tui.formatting.symbols import sign
from tui.terminal.cells import clean

WARN_PERCENT = 80.0
"""Percentage from which on a window is worth a warning colour."""


def window_name(window: LimitWindow) -> str:
    """Name a window by its length, as people know it: `5h`, `week`; else by its own name."""
    minutes = window.window_minutes
    if not minutes or minutes < 0:
        return clean(window.name, 20)
    limit = clean(window.limit, 20)
    length = _length(minutes)
    return f"{limit} {length}" if limit else length


def _length(minutes: int) -> str:
    if minutes == 7 * 1440:
        return "week"
    for unit, name in ((1440, "d"), (60, "h")):
        if minutes >= unit and minutes % unit == 0:
            return f"{minutes // unit}{name}"
    return f"{minutes}m"


def window_words(window: LimitWindow) -> str:
    """Name a window in a sentence: `weekly window`, `5h window`."""
    name = window_name(window)
    return f"{'weekly' if name == 'week' else name} window"


def full_words(
    window: LimitWindow, full_at: float | None, now: float, *, brief: bool = False
) -> str:
    """Write when a window is full at the present pace; empty where it resets before that.

    `brief` is for narrow places: `week full Tue 14:00`.
    """
    resets_at = window.resets_at
    if full_at is None or (resets_at is not None and full_at >= resets_at):
        return ""
    if full_at <= now:
        until = "" if resets_at is None else f" until {clock_time(resets_at, now)}"
        name = window_name(window) if brief else f"the {window_words(window)} is"
        return f"{name} full{until}"
    at = clock_time(full_at, now)
    if brief:
        return f"{window_name(window)} full {at}"
    on = "on " if " " in at else "at "
    early = "" if resets_at is None else f", {span(resets_at - full_at)} before it resets"
    return f"at this pace the {window_words(window)} is full {on}{at}{early}"


def span(seconds: float) -> str:
    """Write a length of time in its largest unit: `19 h`, `3 days`, `25 min`."""
    minutes = max(0.0, seconds) / 60
    if minutes < 60:
        return f"{max(1, round(minutes))} min"
    hours = minutes / 60
    return f"{round(hours)} h" if hours < 48 else f"{round(hours / 24)} days"


def limits(
    windows: Iterable[LimitWindow],
    now: float,
    *,
    brief: bool = False,
    full_at: Mapping[str, float] | None = None,
) -> list[tuple[str, str]]:
    """Write windows that have not reset since as texts with tones: `5h 42% ↻ 15:30`.

    `full_at` has the times at which windows are full before they reset, by name. Then that is what
    matters: `week 62% full Tue 14:00`.
    """
    shown: list[tuple[str, str]] = []
    for window in windows:
        at = window.resets_at
        if at is not None and at <= now:
            continue
        used = f"{window.used_percent:.0f}%"
        if full := full_words(window, (full_at or {}).get(window.name), now, brief=True):
            name = window_name(window)
            shown.append((full if brief else full.replace(name, f"{name} {used}", 1), "warn"))
            continue
        when = f" {sign('↻', 'until')} {clock_time(at, now)}" if at is not None else ""
        text = f"{window_name(window)} {used}{'' if brief else when}"
        shown.append((text, "warn" if window.used_percent >= WARN_PERCENT else "dim"))
    return shown
