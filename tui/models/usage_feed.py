"""Answers of the ledger for the usage screen: the table, the chart and the limits together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.record import record
from engine.domain.usage import SLOT_S, LimitCycle, UsageGroup, UsageQuery, UsageReport, UsageRow
from tui.models.filters import compile_filter
from tui.models.usage_options import UsageOptions, midnight

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort

RowName = Callable[[UsageRow], str]
HOUR_S, DAY_S = 3600, 86400
STEPS = (
    2 * SLOT_S,
    4 * SLOT_S,
    6 * SLOT_S,
    HOUR_S,
    2 * HOUR_S,
    3 * HOUR_S,
    6 * HOUR_S,
    12 * HOUR_S,
    DAY_S,
    2 * DAY_S,
    7 * DAY_S,
    14 * DAY_S,
    28 * DAY_S,
)
"""The lengths of time that a bar of the chart may stand for."""


@record
class UsageAnswer:
    """The answer to the options of the screen at a time."""

    options: UsageOptions
    at: float
    report: UsageReport
    rows: Sequence[UsageRow] = ()
    """The rows of the report in their order."""
    points: tuple[UsageRow, ...] = ()
    """The usage of each step of time, oldest first."""
    cycles: tuple[LimitCycle, ...] = ()


async def read_usage(
    engine: EnginePort, options: UsageOptions, now: float, columns: int, name: RowName
) -> UsageAnswer:
    """Ask the ledger what the screen shows, with at most `columns` steps; raises `UserError`.

    Runs are matched and rows are sorted in a thread: there may be very many. `name` returns the
    name of a row.
    """
    runs = list(engine.view.runs.values())
    query = options.query(now, await asyncio.to_thread(matching_runs, runs, options.text))
    report = await engine.usage.report(query)
    rows = await asyncio.to_thread(options.arrange, report.rows, name)
    begin = query.since
    if begin is None:
        begin = await _first_day(engine, query, report, now)
    end = now if query.until is None else min(query.until, max(now, begin + SLOT_S))
    points = await engine.usage.points(
        replace(query, since=begin, until=end), step_of(end - begin, columns)
    )
    return UsageAnswer(options, now, report, rows, points, await engine.usage.cycles())


async def _first_day(
    engine: EnginePort, query: UsageQuery, report: UsageReport, now: float
) -> float:
    """Return the begin of the first day with usage; of today where there is none."""
    if query.by is not UsageGroup.DAY:
        report = await engine.usage.report(replace(query, by=UsageGroup.DAY))
    return min((row.starts_at for row in report.rows if row.starts_at), default=midnight(now))


def matching_runs(runs: Iterable[Run], text: str) -> frozenset[str] | None:
    """Return the ids of the runs that meet a filter; None without one: all."""
    if not text.strip():
        return None
    matches = compile_filter(text, with_archived=True)  # what they used counts
    return frozenset(run.id for run in runs if matches(run))


def step_of(seconds: float, columns: int) -> int:
    """Return the shortest step of which at most `columns` are needed."""
    room = max(1, columns)
    longest = STEPS[-1]
    fitting = (step for step in STEPS if seconds <= step * room)
    return next(fitting, longest * (1 + int(seconds // (longest * room))))
