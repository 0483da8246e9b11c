"""Resets of usage and rate limits, from Codex's messages about them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.domain.model import LimitWindow

# "… or try again at 3:50 PM." the same day; else "… try again at Nov 25th, 2026 2:50 PM.": local
# time without a zone (docs/codex.md). Older versions print "try again in 2 hours 5 minutes".
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
MINUTE_S = 60.0
LONGEST_S = 32 * 86400.0
"""No limit lasts longer: a later time is ignored."""


def resets_at(message: str, windows: Iterable[LimitWindow], hits: int, now: float) -> float:
    """Return when to try again (seconds since 1970): by message, by the windows, or by backing off.

    `hits` is how often the run met a limit before, which lengthens the wait without a time.
    """
    latest = now + LONGEST_S
    said = _said(message, now)
    full = [w.resets_at for w in windows if w.used_percent >= 100 and w.resets_at is not None]
    told = [at for at in full if now < at <= latest]
    if said is not None and now < said <= latest:
        # The text names the minute, the window the second in it.
        return max([said, *(at for at in told if said <= at < said + MINUTE_S)]) + MARGIN_S
    if told:
        return max(told) + MARGIN_S
    return now + min(UNKNOWN_S * 2.0 ** min(hits, 10), UNKNOWN_MAX_S)


def _said(message: str, now: float) -> float | None:
    try:
        return _dated(message) or _clocked(message, now) or _after(message, now)
    except (ValueError, OverflowError, OSError):
        return None


def _dated(message: str) -> float | None:
    found = _DATE.search(message)
    if not found:
        return None
    month, day, year, hour, minute, half = found.groups()
    text = f"{month} {day} {year} {hour}:{minute} {half}"
    return datetime.strptime(text, "%b %d %Y %I:%M %p").timestamp()


def _clocked(message: str, now: float) -> float | None:
    found = _CLOCK.search(message)
    if not found or int(found[1]) > 12:
        return None
    hour = int(found[1]) % 12 + (12 if found[3].upper() == "P" else 0)
    today = datetime.fromtimestamp(now).replace(
        hour=hour, minute=int(found[2]), second=0, microsecond=0
    )
    # The next such time; where the clocks are put back, an hour comes twice a day (`fold`).
    times = [
        (today + timedelta(days=day)).replace(fold=fold).timestamp()
        for day in (0, 1)
        for fold in (0, 1)
    ]
    # A minute that has just begun is meant, not the same one tomorrow.
    return max(min(at for at in times if at > now - MINUTE_S), now + 1)


def _after(message: str, now: float) -> float | None:
    found = _IN.search(message)
    if not found:
        return None
    return now + sum(int(n) * _UNITS_S[unit] for n, unit in _PART.findall(found[1]))
