"""Sums of the ledger, folded into rows with their cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from engine.domain.model import Usage
from engine.domain.usage import (
    FORGOTTEN_RUNS,
    OTHER_SESSIONS,
    SIMULATED,
    UsageGroup,
    UsageRow,
)

if TYPE_CHECKING:
    from engine.store.usage_reading import UsageSum

Price = Callable[[str, Usage], float | None]
"""Estimates the cost of a model's usage in US dollars; None: its price is unknown."""

TIMES = {UsageGroup.DAY: timedelta(days=1), UsageGroup.WEEK: timedelta(days=7)}
"""Groups that are times, and how long each of them is."""
_NAMES = {1: OTHER_SESSIONS, 2: FORGOTTEN_RUNS}


def rows_of(
    by: UsageGroup,
    sums: Iterable[UsageSum],
    runs: Mapping[tuple[str, int], int],
    price: Price,
) -> tuple[UsageRow, ...]:
    """Return the groups: times in their order, others by their tokens, the most first."""
    groups: dict[tuple[str, int], list[UsageSum]] = {}
    for one in sums:
        groups.setdefault((one.key, one.kind), []).append(one)
    rows = [
        _row(by, key, kind, replace(fold(found, price), runs=runs.get((key, kind), 0)))
        for (key, kind), found in groups.items()
    ]
    if by in TIMES:
        return tuple(sorted(rows, key=lambda row: row.key))
    return tuple(sorted(rows, key=lambda row: (-row.tokens, row.key)))


def fold(sums: Sequence[UsageSum], price: Price) -> UsageRow:
    """Return the sums of all models as one row, with what is known of the cost.

    Simulated runs cost nothing.
    """
    others = [one for one in sums if one.is_other]
    cost_usd, unpriced = _cost(sums, price)
    other_cost_usd, other_unpriced = _cost(others, price)
    return UsageRow(
        "",
        _sum_up(sums),
        seconds=sum(one.seconds for one in sums),
        cost_usd=cost_usd,
        unpriced=unpriced,
        other=_sum_up(others),
        other_cost_usd=other_cost_usd,
        other_unpriced=other_unpriced,
    )


def _sum_up(sums: Iterable[UsageSum]) -> Usage:
    usage = Usage()
    for one in sums:
        usage += one.usage
    return usage


def _cost(sums: Iterable[UsageSum], price: Price) -> tuple[float | None, Usage]:
    """Return the cost of what has a price, and the usage that has none."""
    unpriced = Usage()
    by_model: dict[str, Usage] = {}
    for one in sums:
        by_model[one.model] = by_model.get(one.model, Usage()) + one.usage
    by_model.pop(SIMULATED, None)
    known: list[float] = []
    for model, used in by_model.items():
        cost = price(model, used)
        if cost is None:
            unpriced += used
        else:
            known.append(cost)
    return sum(known) if known else None, unpriced


def _row(by: UsageGroup, key: str, kind: int, row: UsageRow) -> UsageRow:
    row = replace(
        row, key=_NAMES.get(kind, key), is_other_sessions=kind == 1, is_forgotten=kind == 2
    )
    if by not in TIMES:
        return row
    start = _day(key)
    if start is None:
        return row
    return replace(row, starts_at=_midnight(start), ends_at=_midnight(start + TIMES[by]))


def _day(key: str) -> date | None:
    try:
        return date.fromisoformat(key)
    except ValueError:  # a time that the calendar does not know
        return None


def _midnight(day: date) -> float:
    """Return the beginning of a local day, in seconds since 1970."""
    return datetime(day.year, day.month, day.day).timestamp()
