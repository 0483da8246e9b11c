"""Times to come as a person writes them."""

from __future__ import annotations

from datetime import datetime, timedelta


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
