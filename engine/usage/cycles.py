"""Rate-limit windows, from their latest samples: an agent may report any numbers."""

from __future__ import annotations

import math

from engine.domain.numeric import bounded_percent, bounded_time
from engine.domain.usage import SLOT_S, LimitCycle, LimitSample

MAX_MINUTES = 366 * 1440
"""The longest window that is plausible."""


def cycle_of(sample: LimitSample, now: float) -> LimitCycle:
    """Return a window since its last reset, without its usage.

    Where the reported numbers make no sense, its start is unknown. A window that has reset since
    the sample is empty: `resets_at` stays the time of that reset, since the next one is unknown.
    """
    minutes = _minutes(sample.window_minutes)
    resets_at = None if sample.resets_at is None else bounded_time(sample.resets_at)
    used = bounded_percent(sample.used_percent)
    if resets_at is not None and resets_at <= now:
        # The window before the last reset may be long over.
        start = max(resets_at, now - minutes * 60) if minutes else resets_at
        used = 0.0
    else:
        start = _start(minutes, resets_at, now)
    return LimitCycle(sample.account, sample.name, used, minutes, start, resets_at, sample.at)


def _minutes(minutes: float | None) -> int | None:
    """Return the length of a window; None where it is not plausible."""
    if minutes is None or not math.isfinite(minutes) or not 0 < minutes <= MAX_MINUTES:
        return None
    return int(minutes)


def _start(minutes: int | None, resets_at: float | None, now: float) -> float | None:
    """Return the start of a window that is open; None where it is unknown."""
    if minutes is None or resets_at is None:
        return None
    start = resets_at - minutes * 60
    # The clocks of two machines differ a little; a window that begins much later is a mistake.
    return None if start > now + SLOT_S else start
