"""Parsing of typed durations and moments, the same everywhere."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from engine.domain.text import printable_name


def duration(text: str, *, may_be_zero: bool = False) -> float:
    """Read a length of time such as 90s, 5m or 12h in seconds; raises ValueError."""
    from engine.config.values import Duration  # takes 30 ms to import

    seconds = float(Duration.parse(text))
    if seconds <= 0 and not may_be_zero:
        raise ValueError("must not be zero")
    return seconds


def moment(text: str, now: float) -> float:
    """Read a moment to come, in seconds since 1970: HH:MM, ISO 8601, or +30m; raises ValueError.

    Without a zone it is the user's own time, and HH:MM is the next such moment.
    """
    text = text.strip()
    if text.startswith("+"):
        return now + duration(text[1:])
    try:
        clock = re.fullmatch(r"(\d{1,2}):(\d{2})", text)
        at = _next(int(clock[1]), int(clock[2]), now) if clock else _iso(text)
    except (ValueError, OverflowError, OSError):
        allowed = "HH:MM, a date and time such as 2031-05-04T18:30, or +30m"
        raise ValueError(f"invalid time: {printable_name(text)!r}; use {allowed}") from None
    if at <= now:
        raise ValueError(f"{printable_name(text)!r} has passed")
    return at


def past_moment(text: str, now: float) -> float:
    """Read a moment that has passed, in seconds since 1970: 2h, HH:MM or ISO 8601.

    A length of time is subtracted from `now`; HH:MM is the latest such moment. Without a zone it
    is the user's own time. Raises ValueError.
    """
    text = text.strip()
    try:
        if clock := re.fullmatch(r"(\d{1,2}):(\d{2})", text):
            return _latest(int(clock[1]), int(clock[2]), now)
        is_length = re.fullmatch(r"\d+(?:\.\d+)?\s*[a-z]*", text, re.IGNORECASE)
        return now - duration(text, may_be_zero=True) if is_length else _iso(text)
    except (ValueError, OverflowError, OSError):
        allowed = "2h, 3d, HH:MM, or a date such as 2031-05-04"
        raise ValueError(f"invalid time: {printable_name(text)!r}; use {allowed}") from None


def retries(text: str) -> int:
    """Read how often to try again; raises ValueError."""
    from engine.domain.run_option import MAX_RETRIES  # most commands have no options of runs

    if not re.fullmatch(r"\d{1,3}", text.strip(), re.ASCII) or int(text) > MAX_RETRIES:
        raise ValueError(f"a number from 0 to {MAX_RETRIES} is needed")
    return int(text)


def _next(hour: int, minute: int, now: float) -> float:
    today = datetime.fromtimestamp(now).replace(hour=hour, minute=minute, second=0, microsecond=0)
    at = today.timestamp()
    return at if at > now else (today + timedelta(days=1)).timestamp()


def _latest(hour: int, minute: int, now: float) -> float:
    today = datetime.fromtimestamp(now).replace(hour=hour, minute=minute, second=0, microsecond=0)
    at = today.timestamp()
    return at if at <= now else (today - timedelta(days=1)).timestamp()


def _iso(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
