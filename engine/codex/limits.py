"""When a usage or rate limit resets, from what Codex says about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.domain.model import LimitWindow

# "… or try again at 3:50 PM." the same day; else "… try again at Nov 25th, 2026 2:50 PM.": local
# time without a zone (docs/codex.md). Older versions said "try again in 2 hours 5 minutes".
_CLOCK = re.compile(r"try again at (\d{1,2}):(\d{2}) ([AP])M", re.IGNORECASE)
_DATE = re.compile(
    r"try again at ([A-Z][a-z]{2}) (\d{1,2})(?:st|nd|rd|th)?, (\d{4}) (\d{1,2}):(\d{2}) ([AP]M)"
)
_IN = re.compile(r"try again in ((?:\d+ (?:days?|hours?|minutes?|seconds?)[, ]*)+)")
_PART = re.compile(r"(\d+) (day|hour|minute|second)")
_UNITS_S = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}

UNKNOWN_S = 60.0
UNKNOWN_MAX_S = 900.0
MARGIN_S = 5.0


def resets_at(message: str, windows: Iterable[LimitWindow], hits: int, now: float) -> float:
    """Give when to try again (seconds since 1970): as said, as the windows tell, or backing off.

    `hits` is how often the run met a limit before, which lengthens the wait where nothing is said.
    """
    said = _said(message, datetime.fromtimestamp(now))
    if said is not None and said > now:
        return said + MARGIN_S
    full = [w.resets_at for w in windows if w.used_percent >= 100 and w.resets_at is not None]
    if full and max(full) > now:
        return max(full) + MARGIN_S
    return now + min(UNKNOWN_S * 2.0 ** min(hits, 10), UNKNOWN_MAX_S)


def _said(message: str, now: datetime) -> float | None:
    try:
        return _dated(message) or _clocked(message, now) or _after(message, now)
    except (ValueError, OverflowError):
        return None


def _dated(message: str) -> float | None:
    found = _DATE.search(message)
    if not found:
        return None
    month, day, year, hour, minute, half = found.groups()
    text = f"{month} {day} {year} {hour}:{minute} {half}"
    return datetime.strptime(text, "%b %d %Y %I:%M %p").timestamp()


def _clocked(message: str, now: datetime) -> float | None:
    found = _CLOCK.search(message)
    if not found:
        return None
    hour = int(found[1]) % 12 + (12 if found[3].upper() == "P" else 0)
    time = now.replace(hour=hour, minute=int(found[2]), second=0, microsecond=0)
    # A minute that has just begun is meant, not the same one tomorrow.
    if time < now - timedelta(minutes=1):
        time += timedelta(days=1)
    return max(time, now + timedelta(seconds=1)).timestamp()


def _after(message: str, now: datetime) -> float | None:
    found = _IN.search(message)
    if not found:
        return None
    seconds = sum(int(n) * _UNITS_S[unit] for n, unit in _PART.findall(found[1]))
    return (now + timedelta(seconds=seconds)).timestamp()
