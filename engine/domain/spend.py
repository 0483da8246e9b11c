"""Runs that spend far more tokens than others like them: the rule, and the flag of such a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.domain.open_enum import OpenEnum
from engine.domain.record import record

FLOOR_TOKENS = 100_000
"""A run that has used less is never flagged."""
SIBLINGS = 4
"""Runs of its batch that a run is compared with, at least."""
ENDED_SIBLINGS = 3
"""With so many ended siblings, those that still run do not count."""
OF_TEMPLATE = 8
"""Ended runs of its template that a run is compared with, at least."""
AGAIN = 2.0
"""A run is flagged again in the same attempt when its factor has grown this many times."""
SIMILAR_AGE = 0.5
"""Share of the run's own time after which the usage of a running sibling means something."""


class SpendBasis(OpenEnum):
    """The runs that a flagged run was compared with."""

    BATCH = "batch"
    TEMPLATE = "template"


@record
class SpendFlag:
    """The usage of a flagged run at that moment, and the median that it was compared with."""

    factor: float
    basis: SpendBasis
    tokens: int
    median: int


@record
class Sibling:
    """A run of a batch: its tokens, its age in seconds, and whether it has ended."""

    run: str
    tokens: int
    age_s: float
    has_ended: bool


class BatchUsage:
    """Usage of the runs of a batch that do the same task, to compare each of them with."""

    def __init__(self, siblings: Iterable[Sibling] = ()) -> None:
        used = [one for one in siblings if one.tokens > 0]
        self._ended = [one.tokens for one in used if one.has_ended]
        self._running = {one.run: one for one in used if not one.has_ended}
        self._ended_median = _median(self._ended) if self._ended else 0.0

    def median_for(self, run: str, age_s: float) -> float | None:
        """Return the median of the siblings of a running run; None where they are too few.

        Ended ones count alone if there are some. Those that have just begun would draw it down.
        """
        others = len(self._running) - (run in self._running)
        if len(self._ended) + others < SIBLINGS:
            return None
        if len(self._ended) >= ENDED_SIBLINGS:
            return self._ended_median
        least_s = SIMILAR_AGE * max(age_s, 0.0)
        running = [
            one.tokens for one in self._running.values() if one.run != run and one.age_s >= least_s
        ]
        old = [*self._ended, *running]
        return _median(old) if len(old) >= SIBLINGS else None


def flag_of(
    tokens: int, of_batch: float | None, of_template: float | None, flag_at: float | None
) -> SpendFlag | None:
    """Return the flag of a run that has used `tokens`; None where that is nothing unusual.

    `of_batch` and `of_template` are the medians of others, None where they are too few. A flag
    needs `flag_at` times one of them; None: never.
    """
    if flag_at is None or tokens < FLOOR_TOKENS:
        return None
    for basis, usual in ((SpendBasis.BATCH, of_batch), (SpendBasis.TEMPLATE, of_template)):
        if usual and tokens >= flag_at * usual:
            return SpendFlag(round(tokens / usual, 2), basis, tokens, round(usual))
    return None


def template_median(tokens: Sequence[int]) -> float | None:
    """Return the median of ended runs of a template; None where they are too few."""
    used = [one for one in tokens if one > 0]
    return _median(used) if len(used) >= OF_TEMPLATE else None


def is_news(flag: SpendFlag, before: SpendFlag | None) -> bool:
    """Return whether a run is to be flagged, after its last flag in this attempt."""
    return before is None or flag.factor >= AGAIN * before.factor


def flag_words(flag: SpendFlag) -> str:
    """Write a flag as `8× the median of its batch, 1,200,000 tokens instead of 150,000`."""
    basis = "batch" if flag.basis is SpendBasis.BATCH else "template"
    times = f"{factor_words(flag.factor)} the median of its {basis}"
    return f"{times}, {flag.tokens:,} tokens instead of {flag.median:,}"


def factor_words(factor: float) -> str:
    """Write a factor as `8×`, a small one as `2.5×`."""
    return f"{factor:.0f}×" if factor >= 9.95 or factor == int(factor) else f"{factor:.1f}×"


def _median(numbers: Sequence[float]) -> float:
    from statistics import median  # a list of runs flags none: it need not be imported there

    return median(numbers)
