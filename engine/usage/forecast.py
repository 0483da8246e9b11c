"""Forecast of a rate-limit window: its pace, and when it is full.

Two paces are known: that of the last hour, and that of the last three days. The last hour counts
where it fills the window within a day, since no hour stands for a whole week. Otherwise the last
days count. Samples are hostile: an agent reports any number, late, twice and out of order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isfinite

from engine.domain.numeric import bounded_count, bounded_percent, bounded_time
from engine.domain.record import record
from engine.domain.usage import LimitForecast, LimitSample, PaceBasis

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
DAYS_S = 3 * DAY_S
"""Age up to which samples count; older ones need not be read."""
HORIZON_S = DAY_S
"""Time ahead for which the pace of the last hour holds."""
OBSERVED_S = {PaceBasis.HOUR: 600.0, PaceBasis.DAYS: 6 * HOUR_S}
"""The least time between the first sample of a pace and now."""
FALL = 5.0
"""Percent: a smaller fall is a late report of another run, no reset."""
MOVED_S = 600.0
"""Seconds: agents write the time of the same reset a little differently each time."""
LONGEST_MINUTES = 31 * 24 * 60
"""The length of a window that names none, where it matters."""
FULL = 100.0


@record
class _Cycle:
    """Samples between two resets, in order: the first and the highest percentage."""

    first: float
    highest: float
    full_at: float | None
    last: LimitSample


def forecast(samples: Iterable[LimitSample], now: float) -> LimitForecast | None:
    """Return the forecast of the window that all samples are of; None where too little is known.

    `full_at` of the forecast is None where the window resets before it is full.
    """
    known = sorted({it for one in samples if (it := _bounded(one, now))}, key=_order)
    cycles = _cycles(known)
    if not cycles:
        return None
    present = cycles[-1]
    until = _ends_at(present.last, now)
    if until <= now:
        return None  # it has reset since: nothing is known of the present cycle
    hour = _pace(known, now, PaceBasis.HOUR, HOUR_S)
    days = _pace(known, now, PaceBasis.DAYS, DAYS_S)
    if present.full_at is not None:
        pace, basis = (hour, PaceBasis.HOUR) if hour else (days or 0.0, PaceBasis.DAYS)
        return LimitForecast(present.full_at, pace, basis)
    found = [
        LimitForecast(_full_at(present.highest, pace, now), pace, basis)
        for pace, basis in ((hour, PaceBasis.HOUR), (days, PaceBasis.DAYS))
        if pace is not None
    ]
    return _nearest(found, now, until)


def _nearest(found: Sequence[LimitForecast], now: float, until: float) -> LimitForecast | None:
    """Return the forecast that counts: the earliest that is full in time, else the last one."""
    full = [
        one
        for one in found
        if one.full_at is not None
        and one.full_at < until
        and (one.basis is PaceBasis.DAYS or one.full_at <= now + HORIZON_S)
    ]
    if full:
        return min(full, key=lambda one: one.full_at or 0.0)
    return LimitForecast(None, found[-1].percent_per_hour, found[-1].basis) if found else None


def _full_at(used: float, pace: float, now: float) -> float | None:
    return now + (FULL - used) / pace * HOUR_S if pace > 0 else None


def _ends_at(last: LimitSample, now: float) -> float:
    """Return when the present cycle ends; the length of the window counts where that is unknown."""
    if last.resets_at is not None:
        return last.resets_at
    return now + 60.0 * (last.window_minutes or LONGEST_MINUTES)


def _pace(known: Sequence[LimitSample], now: float, basis: PaceBasis, s: float) -> float | None:
    """Return the percent per hour since `s` seconds ago; None where too little was observed."""
    start = now - s
    seen = [one for one in known if one.at >= start]
    before = known[-len(seen) - 1] if len(seen) < len(known) else None
    # Samples are stored only where they differ from the one before.
    if before and (at_start := _between(before, seen[0] if seen else before, start)):
        seen.insert(0, at_start)
    elif len(seen) < 2:
        return None
    if now - seen[0].at < OBSERVED_S[basis]:
        return None
    cycles = _cycles(seen)
    grown = cycles[0].highest - cycles[0].first + sum(one.highest for one in cycles[1:])
    return grown / (now - seen[0].at) * HOUR_S


def _between(before: LimitSample, after: LimitSample, at: float) -> LimitSample | None:
    """Return a sample at a time between two others; None where the window was reset between."""
    if _has_reset(_cycle(before), after):
        return None
    grown = max(0.0, after.used_percent - before.used_percent)
    share = (at - before.at) / (after.at - before.at) if after.at > before.at else 0.0
    return replace(after, at=at, used_percent=before.used_percent + grown * share)


def _cycles(known: Sequence[LimitSample]) -> list[_Cycle]:
    """Split samples at the resets between them."""
    found: list[_Cycle] = []
    for one in known:
        before = found[-1] if found else None
        if before and _is_late(before, one):
            continue
        if before is None or _has_reset(before, one):
            found.append(_cycle(one))
            continue
        highest = max(before.highest, one.used_percent)
        full_at = _cycle(one).full_at if before.full_at is None else before.full_at
        found[-1] = _Cycle(before.first, highest, full_at, one)
    return found


def _cycle(first: LimitSample) -> _Cycle:
    used = first.used_percent
    return _Cycle(used, used, first.at if used >= FULL else None, first)


def _is_late(cycle: _Cycle, later: LimitSample) -> bool:
    """Return whether a sample belongs to a cycle before this one."""
    before = cycle.last.resets_at
    if before is None or later.resets_at is None:
        return False
    return later.resets_at < before - MOVED_S


def _has_reset(cycle: _Cycle, later: LimitSample) -> bool:
    """Return whether a window was reset between the last sample of a cycle and a later one."""
    before, fallen = cycle.last.resets_at, cycle.highest - later.used_percent
    if before is None:
        return fallen > FALL
    if later.resets_at is None:
        return before <= later.at or fallen > FALL
    if later.resets_at - before > MOVED_S:  # of a rolling window, it moves with every report
        return fallen > 0 or before <= later.at
    return fallen > FALL


def _bounded(sample: LimitSample, now: float) -> LimitSample | None:
    """Return a sample within bounds; None for one from the future, or at no time."""
    if not isfinite(sample.at) or not 0 <= sample.at <= now:
        return None
    minutes = None if sample.window_minutes is None else bounded_count(sample.window_minutes)
    resets_at = None if sample.resets_at is None else bounded_time(sample.resets_at)
    longest_s = 60.0 * (minutes or LONGEST_MINUTES)
    if resets_at is not None and resets_at > sample.at + longest_s + MOVED_S:
        resets_at = None  # no window resets later than it is long
    used = bounded_percent(sample.used_percent)
    return LimitSample(sample.account, sample.name, sample.at, used, minutes, resets_at)


def _order(sample: LimitSample) -> tuple[float, float]:
    return sample.at, sample.used_percent
