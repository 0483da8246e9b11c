"""Usage as the command and the API report it: the request, and the answer to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.domain.errors import UserError
from engine.domain.record import record
from engine.domain.usage import UsageGroup, UsageQuery, UsageReport, UsageRow

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.domain.usage import LimitCycle
    from engine.ports.engine import EnginePort

MOST_ROWS = 50
PERIODS = {UsageGroup.DAY: 14, UsageGroup.WEEK: 84}
"""Days, today included, that are reported by time without `--since`."""
CATCH_UP_S = 5.0
"""Seconds for which the command reads what is new of other sessions."""


@record
class UsageRequest:
    """A question about usage, and the form of its answer."""

    query: UsageQuery
    text: str = ""
    """A filter in the language of the dashboard."""
    limit: int | None = None
    as_json: bool = False
    as_csv: bool = False


@record
class UsageOutput:
    """The report, the rate-limit windows, and the runs by id where they were needed."""

    report: UsageReport
    cycles: tuple[LimitCycle, ...]
    runs: dict[str, Run]


def first_day(by: UsageGroup, now: float) -> float | None:
    """Return the beginning of the default range: a local day, for weeks a Monday; None: all."""
    if by not in PERIODS:
        return None
    today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=PERIODS[by] - 1)
    if by is UsageGroup.WEEK:
        first += timedelta(days=-first.weekday() % 7)
    return first.timestamp()


async def read_usage(
    engine: EnginePort, request: UsageRequest, warn: Callable[[str], object]
) -> UsageOutput:
    """Return the usage that a request asks for; `warn` is called with what was not read."""
    from tui.cli.support.run_pages import all_runs
    from tui.models.filters import compile_filter

    query = request.query
    if request.text:
        matches = compile_filter(request.text, with_archived=True)
        found = frozenset([run.id async for run in all_runs(engine) if matches(run)])
        query = replace(query, runs=found)
    if counts_other_sessions(request):
        await _catch_up(engine, warn)
    report = await engine.usage.report(query)
    cycles = await engine.usage.cycles()
    known = tuple(one for one in cycles if query.account in (None, one.account))
    runs: dict[str, Run] = {}
    if query.by is UsageGroup.RUN and (ids := [row.key for row in report.rows]):
        runs = {run.id: run for run in await engine.runs(ids=ids)}
    return UsageOutput(report, known, runs)


async def _catch_up(engine: EnginePort, warn: Callable[[str], object]) -> None:
    """Read what is new of other sessions; without it, the rest is reported all the same."""
    try:
        await engine.usage.catch_up(CATCH_UP_S)
    except UserError as error:
        warn(f"Other sessions were not read: {error.message}")


def counts_other_sessions(request: UsageRequest) -> bool:
    """Return whether other sessions are a part of the answer."""
    return request.query.has_other_sessions and not request.text


def listed_rows(rows: tuple[UsageRow, ...], request: UsageRequest) -> tuple[UsageRow, ...]:
    """Return the groups to list: the latest days or weeks, or those with the most tokens."""
    is_of_time = request.query.by in PERIODS
    is_whole = is_of_time or request.as_json or request.as_csv
    limit = request.limit or (None if is_whole else MOST_ROWS)
    return rows[-limit:] if limit and is_of_time else rows[:limit]


def answer_json(request: UsageRequest, answer: UsageOutput) -> dict[str, Any]:
    """Return an answer as the JSON object of the public contract."""
    from engine.domain.usage_json import report_json

    return report_json(_listed(request, answer), answer.cycles, _titles(answer))


def answer_csv(request: UsageRequest, answer: UsageOutput) -> bytes:
    """Return an answer as comma-separated values."""
    from engine.domain.usage_json import report_csv

    percents = {f"{one.account} {one.name}": one.used_percent for one in answer.cycles}
    return report_csv(_listed(request, answer), percents, _titles(answer)).encode()


def _listed(request: UsageRequest, answer: UsageOutput) -> UsageReport:
    return replace(answer.report, rows=listed_rows(answer.report.rows, request))


def _titles(answer: UsageOutput) -> dict[str, str]:
    return {run.id: run.spec.title for run in answer.runs.values()}
