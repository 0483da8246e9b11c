"""Run ids: short, lower-case, sorted by time."""

from __future__ import annotations

import os

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: nothing to confuse
_EPOCH_S = 1_735_689_600  # 2025-01-01 UTC: eight characters of milliseconds last until 2059
_TIME_CHARS, _RANDOM_CHARS = 8, 2


def new_id(now: float, newest: str | None) -> str:
    """Make an id for `now` (seconds since 1970); it sorts after `newest`, whatever the clock."""
    ticks = max(0, int((now - _EPOCH_S) * 1000))
    if newest is not None:
        ticks = max(ticks, _ticks(newest[:_TIME_CHARS]) + 1)
    chars: list[str] = []
    for _ in range(_TIME_CHARS):
        ticks, digit = divmod(ticks, len(ALPHABET))
        chars.append(ALPHABET[digit])
    chars.reverse()
    chars += (ALPHABET[byte % len(ALPHABET)] for byte in os.urandom(_RANDOM_CHARS))
    return "".join(chars)


def made_at(id: str) -> float:
    """Return when an id was made, in seconds since 1970."""
    return _ticks(id[:_TIME_CHARS]) / 1000 + _EPOCH_S


def _ticks(text: str) -> int:
    value = 0
    for char in text:
        value = value * len(ALPHABET) + max(0, ALPHABET.find(char))
    return value
