"""Options of the usage screen: the groups, the time range, the filter and the order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from engine.domain.record import record
from engine.domain.usage import UsageGroup, UsageQuery, UsageRow

GROUPS: tuple[UsageGroup, ...] = (
    UsageGroup.DAY,
    UsageGroup.WEEK,
    UsageGroup.RUN,
    UsageGroup.BATCH,
    UsageGroup.PROJECT,
    UsageGroup.MODEL,
    UsageGroup.ACCOUNT,
)
"""The groups of the table, in the order of its tabs; cycles are shown above it."""
OF_TIME = frozenset({UsageGroup.DAY, UsageGroup.WEEK})


class TimeRange(StrEnum):
    """Time ranges that end now; days are those of the user's own zone."""

    TODAY = "today"
    WEEK = "7 days"
    MONTH = "30 days"
    ALL = "all time"


_DAYS = {TimeRange.TODAY: 0, TimeRange.WEEK: 6, TimeRange.MONTH: 29}
"""Days before today that belong to a range."""


class ChartValue(StrEnum):
    """The values that the chart can show."""

    TOKENS = "tokens"
    COST = "cost"
    CACHED = "cached"


class UsageSort(StrEnum):
    """Orders of the table; the usual one is by time, or the most tokens first."""

    USUAL = "usual"
    NAME = "name"
    TOKENS = "tokens"
    FRESH = "fresh"
    CACHED = "cached"
    OUTPUT = "output"
    REASONING = "reasoning"
    REQUESTS = "requests"
    RUNS = "runs"
    TIME = "time"
    COST = "cost"


def _cost(row: UsageRow) -> float:
    return -1.0 if row.cost_usd is None else row.cost_usd


NUMBERS: dict[UsageSort, Callable[[UsageRow], float]] = {
    UsageSort.TOKENS: lambda row: row.tokens,
    UsageSort.FRESH: lambda row: row.usage.input - row.usage.cached,
    UsageSort.CACHED: lambda row: row.usage.cached,
    UsageSort.OUTPUT: lambda row: row.usage.output,
    UsageSort.REASONING: lambda row: row.usage.reasoning,
    UsageSort.REQUESTS: lambda row: row.usage.requests,
    UsageSort.RUNS: lambda row: row.runs,
    UsageSort.TIME: lambda row: row.seconds,
    UsageSort.COST: _cost,
}
"""The number by which each order sorts, the largest first."""


@record
class TimeSpan:
    """A stretch of time that the user has opened, such as a day."""

    name: str
    starts_at: float
    ends_at: float


@record
class UsageOptions:
    """The user's choice of usage, its groups and their order."""

    by: UsageGroup = UsageGroup.DAY
    range: TimeRange = TimeRange.MONTH
    span: TimeSpan | None = None
    """The opened day or week; it comes before the range."""
    text: str = ""
    """The filter of runs."""
    project: str | None = None
    model: str | None = None
    account: str | None = None
    """The opened project, model and account; None: all."""
    only_runs: bool = False
    sort: UsageSort = UsageSort.USUAL
    is_reversed: bool = False
    chart: ChartValue = ChartValue.TOKENS

    @property
    def has_other_sessions(self) -> bool:
        """Return whether other sessions count: a filter is about runs."""
        return not self.only_runs and not self.text.strip()

    @property
    def is_narrowed(self) -> bool:
        """Return whether a filter or an opened group hides usage."""
        opened = (self.span, self.project, self.model, self.account)
        return bool(self.text.strip()) or any(one is not None for one in opened)

    def next_group(self, by: int = 1) -> UsageOptions:
        """Return these options with the next groups, or with those before."""
        return self.group(GROUPS[(GROUPS.index(self.by) + by) % len(GROUPS)])

    def group(self, group: UsageGroup) -> UsageOptions:
        """Return these options with these groups, in their usual order."""
        return replace(self, by=group, sort=UsageSort.USUAL, is_reversed=False)

    def next_range(self) -> UsageOptions:
        """Return these options with the next time range."""
        ranges = list(TimeRange)
        found = ranges[(ranges.index(self.range) + 1) % len(ranges)]
        return replace(self, range=found, span=None)

    def next_chart(self) -> UsageOptions:
        """Return these options with the next value of the chart."""
        values = list(ChartValue)
        return replace(self, chart=values[(values.index(self.chart) + 1) % len(values)])

    def next_sort(self, columns: Iterable[UsageSort]) -> UsageOptions:
        """Return these options sorted by the next of the shown columns."""
        order = [UsageSort.USUAL, *columns]
        at = order.index(self.sort) if self.sort in order else -1
        return replace(self, sort=order[(at + 1) % len(order)], is_reversed=False)

    def by_column(self, column: UsageSort) -> UsageOptions:
        """Return these options sorted by a column; the second time, in the other direction."""
        is_same = column is self.sort
        return replace(self, sort=column, is_reversed=is_same and not self.is_reversed)

    def open(self, row: UsageRow, name: str) -> UsageOptions | None:
        """Return options that show the runs of a row; None where its runs are not known."""
        runs = self.group(UsageGroup.RUN)
        match self.by:
            case UsageGroup.PROJECT:
                return replace(runs, project=row.key)
            case UsageGroup.MODEL:
                return replace(runs, model=row.key)
            case UsageGroup.ACCOUNT:
                return replace(runs, account=row.key)
            case _:
                pass
        if self.by not in OF_TIME or row.starts_at is None or row.ends_at is None:
            return None
        return replace(runs, span=TimeSpan(name, row.starts_at, row.ends_at))

    def since(self, now: float) -> float | None:
        """Return the begin of the time range; None: all time."""
        if self.span:
            return self.span.starts_at
        days = _DAYS.get(self.range)
        return None if days is None else midnight(now, days)

    def query(self, now: float, runs: frozenset[str] | None) -> UsageQuery:
        """Return the question to the ledger; `runs` are the ids that meet the filter."""
        return UsageQuery(
            self.by,
            self.since(now),
            self.span.ends_at if self.span else None,
            runs,
            account=self.account,
            project=self.project,
            model=self.model,
            has_other_sessions=self.has_other_sessions,
        )

    def describe(self) -> str:
        """Return a short text: the time, the filter, and the order where it is not the usual."""
        parts = [self.span.name if self.span else str(self.range)]
        parts += [one for one in (self.project, self.model, self.account) if one]
        if self.text.strip():
            parts.append(f"/{self.text.strip()}")
        elif self.only_runs:
            parts.append("only runs")
        if self.sort is not UsageSort.USUAL or self.is_reversed:
            order = [] if self.sort is UsageSort.USUAL else [f"by {self.sort}"]
            parts.append(", ".join([*order, *(["reversed"] if self.is_reversed else [])]))
        return " · ".join(parts)

    def arrange(
        self, rows: Sequence[UsageRow], name: Callable[[UsageRow], str]
    ) -> Sequence[UsageRow]:
        """Return the rows in the order of the table; `name` returns the name of a row."""
        if self.sort is UsageSort.NAME:
            return sorted(rows, key=lambda row: name(row).casefold(), reverse=self.is_reversed)
        if self.sort is UsageSort.USUAL and self.by in OF_TIME:
            is_upward = self.is_reversed
            return sorted(rows, key=lambda row: row.starts_at or 0.0, reverse=not is_upward)
        number = NUMBERS[UsageSort.TOKENS if self.sort is UsageSort.USUAL else self.sort]
        return sorted(rows, key=number, reverse=not self.is_reversed)


def midnight(now: float, days: int = 0) -> float:
    """Return the begin of the local day, or of the one so many days before."""
    today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today - timedelta(days=days)).timestamp()
