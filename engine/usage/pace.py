"""Pace of the queue: whether an account may start a run now, by its rate-limit windows.

A hold is a pause of the runs of one account. It ends with the reset of the window, or when a newer
report shows room. Of a window that was never reported, or has reset since, nothing is known: it
holds nothing. The first run that starts then reports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from math import inf, isfinite

from engine.config.settings import QueueSettings
from engine.domain.model import Pause
from engine.domain.numeric import bounded_percent, bounded_time
from engine.domain.queue import CLOCK_SLACK_S
from engine.domain.reasons import WaitingFor
from engine.domain.usage import LimitCycle, LimitSample

DAY_S = 24 * 3600.0
FULL = 100.0
SLACK_PERCENT = 2.0
"""With `pace: even`, percent that may be used before they are due: a fresh window starts runs."""


class WindowKind(Enum):
    """A kind of rate-limit window, with the length that counts where a report names none."""

    WEEKLY = 7 * DAY_S
    WINDOW = 5 * 3600.0


def kind_of(sample: LimitSample | LimitCycle) -> WindowKind:
    """Return the kind of a window: by its length, else by its name."""
    if sample.window_minutes and sample.window_minutes > 0:
        is_long = sample.window_minutes * 60.0 > DAY_S
    else:
        is_long = sample.name == "secondary"
    return WindowKind.WEEKLY if is_long else WindowKind.WINDOW


def reserved_percent(settings: QueueSettings, window: LimitSample | LimitCycle) -> float:
    """Return how many percent of a window the queue leaves for interactive work."""
    reserve = settings.reserve
    return float(reserve.weekly if kind_of(window) is WindowKind.WEEKLY else reserve.window)


def find_hold(
    settings: QueueSettings, windows: Iterable[LimitSample], now: float, *, moves: bool = False
) -> Pause | None:
    """Return why an account may start no run at `now`, and until when; None if it may.

    `windows` are those that it reported last. Of several holds the longest is returned. With
    `moves`, a full window holds, too: runs go on under another account.
    """
    found = [hold for one in windows for hold in _holds(settings, one, now, moves=moves)]
    return max(found, key=lambda hold: hold.until or inf, default=None)


def _holds(
    settings: QueueSettings, sample: LimitSample, now: float, *, moves: bool
) -> Iterable[Pause]:
    length_s, resets_at = _length_s(sample), _resets_at(sample)
    if resets_at <= now or sample.at > now + CLOCK_SLACK_S:
        return  # it has reset, or the clock was put back since: nothing is known
    kept = reserved_percent(settings, sample)
    used, usable, name = bounded_percent(sample.used_percent), FULL - kept, window_words(sample)
    if moves and used >= FULL:
        yield Pause(f"{name} is full", resets_at, WaitingFor.LIMIT, account=sample.account)
    elif kept > 0 and used >= usable:
        words = f"{kept:g} % of {name} is reserved; {used:.0f} % used"
        yield Pause(words, resets_at, WaitingFor.RESERVE, account=sample.account)
    if settings.pace == "even" and sample.resets_at is not None and usable > 0:
        due_at = resets_at - length_s + length_s * (used - SLACK_PERCENT) / usable
        if now < min(due_at, resets_at):
            words = f"starts are spread over {name}; {used:.0f} % used"
            until = min(due_at, resets_at)
            yield Pause(words, until, WaitingFor.PACE, account=sample.account)


def window_words(sample: LimitSample) -> str:
    """Name a window in a sentence: `the week`, `the 5 h window`."""
    hours, rest = divmod(_length_s(sample), 3600.0)
    if hours == 7 * 24:
        return "the week"
    if hours and hours % 24 == 0 and not rest:
        return f"the {hours / 24:.0f} d window"
    return (
        f"the {hours:.0f} h window" if not rest else f"the {_length_s(sample) / 60:.0f} min window"
    )


def _length_s(sample: LimitSample) -> float:
    minutes = sample.window_minutes
    return minutes * 60.0 if minutes and minutes > 0 else kind_of(sample).value


def _resets_at(sample: LimitSample) -> float:
    """Return when the window has reset for certain: at most its length after the report."""
    latest = bounded_time(sample.at) + _length_s(sample)
    known = sample.resets_at
    return min(known, latest) if known is not None and isfinite(known) else latest
