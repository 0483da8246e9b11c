"""Numbers from outside kept within bounds.

An agent's lines and its session files hold any number that JSON can write. Python takes an integer
of 4,000 digits; a division of it, a date or a database does not.
"""

from __future__ import annotations

MAX_COUNT = 10**15
MAX_EXIT_CODE = 2**31
MAX_PERCENT = 1000.0
MAX_TIME = 250_000_000_000.0
"""Seconds since 1970, in the year 9892: the last years of the calendar have no local time."""


def bounded_count(number: int) -> int:
    """Return a count between 0 and `MAX_COUNT`."""
    return number if 0 <= number <= MAX_COUNT else min(max(number, 0), MAX_COUNT)


def bounded_time(at: float) -> float:
    """Return a time that the calendar knows, in seconds since 1970; 0 for what is not a number."""
    return at if 0 <= at <= MAX_TIME else _bounded(at, MAX_TIME)


def bounded_percent(percent: float) -> float:
    """Return a percentage between 0 and `MAX_PERCENT`; 0 for what is not a number."""
    return percent if 0 <= percent <= MAX_PERCENT else _bounded(percent, MAX_PERCENT)


def bounded_exit_code(code: int) -> int:
    """Return an exit code of at most 32 bits."""
    return min(max(code, -MAX_EXIT_CODE), MAX_EXIT_CODE)


def _bounded(number: float, most: float) -> float:
    return most if number > most else 0.0  # all comparisons with NaN are false
