"""Usage as the JSON objects of the public contract, and as comma-separated values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.domain.cost import DIGITS, cost_json
from engine.domain.csv_text import RFC_4180, csv_text
from engine.domain.events import iso
from engine.domain.model import Usage
from engine.domain.usage import LimitCycle, UsageQuery, UsageReport, UsageRow

CSV_COLUMNS = (
    "by",
    "key",
    "title",
    "starts_at",
    "ends_at",
    "runs",
    "requests",
    "input",
    "cached",
    "output",
    "reasoning",
    "seconds",
    "cost_usd",
    "tokens_without_price",
    "tokens_of_other_sessions",
    "is_other_sessions",
    "is_forgotten",
    "used_percent",
)


def report_json(
    report: UsageReport, cycles: Iterable[LimitCycle], titles: Mapping[str, str]
) -> dict[str, Any]:
    """Return a report and the present rate-limit windows as a JSON object.

    `titles` are those of runs, by id.
    """
    return {
        **_query_json(report.query),
        "rows": [row_json(row, titles.get(row.key)) for row in report.rows],
        "total": row_json(report.total, None),
        "cycles": [cycle_json(cycle) for cycle in cycles],
        "other_sessions": {
            "read_at": _iso(report.read_until),
            "is_reading": report.is_reading,
            "found": report.sessions.found,
            "read": report.sessions.read,
            "unread": report.sessions.unread,
            "problem": report.sessions.problem or None,
        },
    }


def row_json(row: UsageRow, title: str | None) -> dict[str, Any]:
    """Return the usage of a group as a JSON object; a run has a title."""
    return {
        "key": row.key,
        "title": title,
        "starts_at": _iso(row.starts_at),
        "ends_at": _iso(row.ends_at),
        "tokens": tokens_json(row.usage),
        "runs": row.runs,
        "seconds": round(row.seconds, 3),
        "cost_usd": cost_json(row.cost_usd),
        "without_price": tokens_json(row.unpriced),
        "of_other_sessions": tokens_json(row.other),
        "cost_usd_of_other_sessions": cost_json(row.other_cost_usd),
        "is_other_sessions": row.is_other_sessions,
        "is_forgotten": row.is_forgotten,
    }


def cycle_json(cycle: LimitCycle) -> dict[str, Any]:
    """Return a rate-limit window as a JSON object."""
    each = cycle.tokens_per_percent
    return {
        "account": cycle.account,
        "name": cycle.name,
        "used_percent": cycle.used_percent,
        "window_minutes": cycle.window_minutes,
        "starts_at": _iso(cycle.starts_at),
        "resets_at": _iso(cycle.resets_at),
        "seen_at": iso(cycle.seen_at),
        "tokens": None if cycle.starts_at is None else tokens_json(cycle.usage),
        "cost_usd": cost_json(cycle.cost_usd),
        "without_price": tokens_json(cycle.unpriced),
        "tokens_per_percent": None if each is None else round(each, 1),
        "cost_usd_per_percent": cost_json(cycle.cost_per_percent),
        "full_at": _iso(cycle.full_at),
    }


def window_json(cycle: LimitCycle) -> dict[str, Any]:
    """Return a rate-limit window with its forecast, without its usage, as a JSON object."""
    keys = ("account", "name", "used_percent", "window_minutes", "resets_at", "full_at")
    found = cycle_json(cycle)
    return {key: found[key] for key in keys}


def tokens_json(usage: Usage) -> dict[str, int]:
    """Return tokens and requests as a JSON object."""
    return {
        "input": usage.input,
        "cached": usage.cached,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "requests": usage.requests,
    }


def report_csv(
    report: UsageReport, percents: Mapping[str, float], titles: Mapping[str, str]
) -> str:
    """Return the rows of a report as RFC 4180 has it.

    `percents` are those of rate-limit windows and `titles` those of runs, by the keys of rows.
    """
    by = report.query.by.value
    rows = (
        [by, row.key, titles.get(row.key, ""), *_csv_numbers(row, percents.get(row.key))]
        for row in report.rows
    )
    return csv_text(CSV_COLUMNS, rows, RFC_4180)


def _csv_numbers(row: UsageRow, percent: float | None) -> list[str]:
    usage = row.usage
    values = (
        _iso(row.starts_at),
        _iso(row.ends_at),
        row.runs,
        usage.requests,
        usage.input,
        usage.cached,
        usage.output,
        usage.reasoning,
        round(row.seconds, 3),
        None if row.cost_usd is None else f"{row.cost_usd:.{DIGITS}f}",
        row.unpriced.input + row.unpriced.output,
        row.other.input + row.other.output,
        _word(row.is_other_sessions),
        _word(row.is_forgotten),
        percent,
    )
    return ["" if value is None else str(value) for value in values]


def _word(value: bool) -> str:
    return "true" if value else "false"


def _query_json(query: UsageQuery) -> dict[str, Any]:
    return {
        "by": query.by.value,
        "since": _iso(query.since),
        "until": _iso(query.until),
        "account": query.account,
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)
