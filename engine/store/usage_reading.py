"""Reading of the ledger of usage: sums by group and model, grouped by the database.

The work is that of the rows in the asked range of time, never one query for each run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import msgspec

from engine.domain.model import Usage
from engine.domain.numeric import bounded_time
from engine.domain.usage import (
    SLOT_S,
    LimitSample,
    SpentRun,
    UsageGroup,
    UsageQuery,
    slot_of,
)
from engine.store.spent import SPENT, spent

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
MAX_SLOT = 2**40
RUN, OTHER, FORGOTTEN = 0, 1, 2
"""Kinds of groups: of runs, of other sessions alone, of forgotten runs alone."""

_PARTS = tuple(field.name for field in fields(Usage))
_COLUMNS = ", ".join(("slot", "model", "account", "project", *_PARTS))
# Unlike `sum`, `total` of hostile numbers is not an error.
_SUMS = ", ".join(("total(seconds)", *(f"CAST(total({name}) AS INTEGER)" for name in _PARTS)))
_PARTIAL = ", ".join(f"total({name}) AS {name}" for name in (*_PARTS, "seconds"))
_OF_RUNS = f"SELECT run, 0 AS is_other, {_COLUMNS}, seconds FROM usage_slots WHERE "
_OF_OTHERS = (
    f"SELECT '' AS run, 1 AS is_other, {_COLUMNS}, 0.0 AS seconds FROM session_slots WHERE "
)
_LOCAL = f"slot * {SLOT_S}, 'unixepoch', 'localtime'"
_KINDS_OF_RUNS = f"CASE WHEN is_other THEN {OTHER} WHEN r.id IS NULL THEN {FORGOTTEN} ELSE 0 END"
_RUNS = " LEFT JOIN runs r ON r.id = counted.run"


class _Grouping(NamedTuple):
    """The SQL of a group: its key, its kind, and the table to join."""

    key: str
    kind: str = "0"
    join: str = ""


_GROUPINGS = {
    UsageGroup.DAY: _Grouping(f"date({_LOCAL})"),
    # Back by six days and on to the next Monday: the Monday of the same week.
    UsageGroup.WEEK: _Grouping(f"date({_LOCAL}, '-6 days', 'weekday 1')"),
    UsageGroup.RUN: _Grouping("coalesce(r.id, '')", _KINDS_OF_RUNS, _RUNS),
    UsageGroup.BATCH: _Grouping("coalesce(r.batch, '')", _KINDS_OF_RUNS, _RUNS),
    UsageGroup.PROJECT: _Grouping(
        "counted.project", f"CASE WHEN is_other AND counted.project = '' THEN {OTHER} ELSE 0 END"
    ),
    UsageGroup.MODEL: _Grouping("model"),
    UsageGroup.ACCOUNT: _Grouping("account"),
}


class UsageSum(NamedTuple):
    """The usage of one model in a group, by runs or by other sessions."""

    key: str
    kind: int
    is_other: bool
    model: str
    usage: Usage
    seconds: float = 0.0
    """The time that attempts took."""


class UsageReader:
    """Reader of the ledger, on a connection that never writes."""

    def __init__(self, read: Read) -> None:
        self._read = read

    async def sums(self, query: UsageQuery) -> list[UsageSum]:
        """Return the sums of each group, model by model."""
        counted, values = _counted(query)
        grouping = _GROUPINGS[query.by]
        if grouping.join:  # one look-up for each run
            counted = f"SELECT run, is_other, model, {_PARTIAL} FROM ({counted}) GROUP BY 1, 2, 3"
        rows = await self._read(
            f"WITH counted AS ({counted}) SELECT {grouping.key}, {grouping.kind}, is_other,"
            f" model, {_SUMS} FROM counted{grouping.join} GROUP BY 1, 2, 3, 4",
            values,
        )
        # In a thread: there may be a row for each of very many runs.
        return await asyncio.to_thread(_sums, rows)

    async def runs(self, query: UsageQuery) -> dict[tuple[str, int], int]:
        """Return the number of runs in each group, by its key and kind."""
        counted, values = _counted(query, of_runs=True)
        grouping = _GROUPINGS[query.by]
        if grouping.join:
            counted = f"SELECT DISTINCT run, is_other FROM ({counted})"
        rows = await self._read(
            f"WITH counted AS ({counted}) SELECT {grouping.key}, {grouping.kind},"
            f" count(DISTINCT counted.run) FROM counted{grouping.join} GROUP BY 1, 2",
            values,
        )
        return {(key or "", kind): count for key, kind, count in rows}

    async def count_runs(self, query: UsageQuery) -> int:
        """Return the number of runs in all groups together."""
        counted, values = _counted(query, of_runs=True)
        rows = await self._read(f"SELECT count(DISTINCT run) FROM ({counted})", values)
        return rows[0][0]

    async def steps(self, query: UsageQuery, first: int, slots: int) -> list[UsageSum]:
        """Return the sums of steps of `slots` slots; the key is the step's number, from `first`."""
        counted, values = _counted(query)
        return _sums(
            await self._read(
                f"WITH counted AS ({counted}) SELECT (slot - ?) / ?, 0, is_other, model, {_SUMS}"
                " FROM counted GROUP BY 1, 2, 3, 4",
                (*values, first, slots),
            )
        )

    async def span(self, query: UsageQuery) -> tuple[int, int] | None:
        """Return the first and the last slot with usage; None where there is none."""
        counted, values = _counted(query)
        rows = await self._read(f"SELECT min(slot), max(slot) FROM ({counted})", values)
        return None if rows[0][0] is None else (rows[0][0], rows[0][1])

    async def latest_samples(self, upto: float) -> list[LimitSample]:
        """Return the latest sample of each rate-limit window of each account, up to a time."""
        found: list[LimitSample] = []
        place: tuple[str, str] | None = None
        # One look-up for each window, however many samples there are.
        while place := await self._next_window(place):
            found += await self._latest_sample(*place, upto)
        return found

    async def samples(
        self, account: str, name: str, since: float, upto: float
    ) -> list[LimitSample]:
        """Return the samples of a rate-limit window in a time: the last one of each ten minutes.

        Of the last hour, it is the last one of each minute.
        """
        # Of each group, SQLite takes the other columns from the row of the maximum.
        rows = await self._read(
            "SELECT account, name, max(at), used_percent, window_minutes, resets_at"
            " FROM limit_samples WHERE account = ? AND name = ? AND at >= ? AND at <= ?"
            " GROUP BY CASE WHEN at >= ? THEN CAST(at / 60 AS INTEGER)"
            " ELSE -CAST(at / 600 AS INTEGER) END",
            (account, name, since, upto, upto - 3600),
        )
        return [LimitSample(*row) for row in rows]

    async def spent(self) -> list[SpentRun]:
        """Return the usage of the latest runs that succeeded or failed, the latest first."""
        return spent(await self._read(SPENT, ()))

    async def _next_window(self, after: tuple[str, str] | None) -> tuple[str, str] | None:
        where = "WHERE (account, name) > (?, ?)" if after else ""
        rows = await self._read(
            f"SELECT account, name FROM limit_samples {where} ORDER BY account, name LIMIT 1",
            after or (),
        )
        return rows[0] if rows else None

    async def _latest_sample(self, account: str, name: str, upto: float) -> list[LimitSample]:
        rows = await self._read(
            "SELECT account, name, at, used_percent, window_minutes, resets_at FROM limit_samples"
            " WHERE account = ? AND name = ? AND at <= ? ORDER BY at DESC LIMIT 1",
            (account, name, upto),
        )
        return [LimitSample(*row) for row in rows]


def _counted(query: UsageQuery, *, of_runs: bool = False) -> tuple[str, list[Any]]:
    """Return the SQL of the rows that count, and its values."""
    clauses, values = _conditions(query)
    if query.runs is not None:
        within = " AND run IN (SELECT value FROM json_each(?))"
        names = msgspec.json.encode(sorted(query.runs)).decode()
        return f"{_OF_RUNS}{clauses}{within}", [*values, names]
    if of_runs or not query.has_other_sessions:
        return f"{_OF_RUNS}{clauses}", values
    return f"{_OF_RUNS}{clauses} UNION ALL {_OF_OTHERS}{clauses}", values * 2


def slot_range(query: UsageQuery) -> tuple[int, int]:
    """Return the first slot that counts, and the slot after the last one."""
    first = 0 if query.since is None else slot_of(bounded_time(query.since))
    # A slot counts if it begins before the end.
    end = MAX_SLOT if query.until is None else -slot_of(-bounded_time(query.until))
    return first, end


def _conditions(query: UsageQuery) -> tuple[str, list[Any]]:
    # The whole ledger is read in its own order: by the index, that takes four times as long.
    slot = "slot" if query.since is not None else "+slot"
    clauses, values = f"{slot} >= ? AND {slot} < ?", [*slot_range(query)]
    for name in ("account", "project", "model"):
        if (wanted := getattr(query, name)) is not None:
            clauses += f" AND {name} = ?"
            values.append(wanted)
    return clauses, values


def _sums(rows: Sequence[Any]) -> list[UsageSum]:
    return [
        UsageSum(str(key or ""), kind, bool(is_other), model, Usage(*parts), max(0.0, seconds))
        for key, kind, is_other, model, seconds, *parts in rows
    ]
