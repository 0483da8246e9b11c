"""Reports of usage: sums of the ledger by day, run, model and more, and the rate-limit windows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.account import account_of_spec
from engine.domain.usage import (
    SIMULATED,
    SLOT_S,
    LimitCycle,
    UsageGroup,
    UsageQuery,
    UsageReport,
    UsageRow,
)
from engine.store.usage_reading import slot_range
from engine.usage import estimate, forecast
from engine.usage.cycles import cycle_of
from engine.usage.folding import Price, fold, rows_of

if TYPE_CHECKING:
    from engine.domain.model import RunSpec
    from engine.domain.usage import SpendEstimate
    from engine.store.usage_reading import UsageReader, UsageSum
    from engine.usage.other_sessions import OtherSessions

MAX_POINTS = 400
"""The most points of a line over time."""


class UsageReports:
    """Usage of all runs and other sessions, read from the ledger at each call."""

    def __init__(
        self,
        ledger: UsageReader,
        price: Price,
        clock: Callable[[], float] = time.time,
        others: OtherSessions | None = None,
    ) -> None:
        self._ledger = ledger
        self._others = others
        self._price = price
        self._clock = clock

    async def catch_up(self, limit_s: float) -> None:
        """Read the other sessions that are new, for so long at most; raises `UserError`.

        Nothing is read where another process does it now.
        """
        if self._others:
            await self._others.catch_up(limit_s)

    async def report(self, query: UsageQuery) -> UsageReport:
        """Sum up the usage that a question asks for; raises `UserError`."""
        report = await self._report(query)
        if self._others is None:
            return report
        progress = await self._others.progress()
        return replace(
            report,
            read_until=progress.read_until,
            is_reading=progress.is_reading_first,
            sessions=progress,
        )

    async def _report(self, query: UsageQuery) -> UsageReport:
        if query.by is UsageGroup.CYCLE:
            return await self._cycle_report(query)
        sums = await self._ledger.sums(query)
        runs = await self._ledger.runs(query)
        # A run is in one of these groups, but in several days.
        is_once = query.by in (UsageGroup.RUN, UsageGroup.BATCH)
        count = sum(runs.values()) if is_once else await self._ledger.count_runs(query)
        total = await self._total(sums, count)
        # In a thread: a price list takes its time to load.
        rows = await asyncio.to_thread(rows_of, query.by, sums, runs, self._price)
        return UsageReport(query, rows, total)

    async def points(self, query: UsageQuery, step_s: float) -> tuple[UsageRow, ...]:
        """Return the usage of each step of time in the range of a question, oldest first.

        Steps without usage are rows, too. Where the steps would be more than `MAX_POINTS`, they
        are longer.
        """
        span = await self._ledger.span(query)
        if span is None:
            return ()
        first, end = slot_range(query)
        first = span[0] if query.since is None else first
        last = span[1] if query.until is None else end - 1
        slots = max(1, round(step_s / SLOT_S), -(-(last - first + 1) // MAX_POINTS))
        by_step: dict[int, list[UsageSum]] = {}
        for one in await self._ledger.steps(query, first, slots):
            by_step.setdefault(int(one.key or 0), []).append(one)
        return await asyncio.to_thread(self._points, by_step, range(first, last + 1, slots), slots)

    def _points(
        self, by_step: dict[int, list[UsageSum]], starts: range, slots: int
    ) -> tuple[UsageRow, ...]:
        """Return a row for each step that begins at one of the slots."""
        found: list[UsageRow] = []
        for step, start in enumerate(starts):
            row = fold(by_step.get(step, ()), self._price)
            begin, end = start * SLOT_S, (start + slots) * SLOT_S
            found.append(replace(row, starts_at=float(begin), ends_at=float(end)))
        return tuple(found)

    async def limits(self) -> tuple[LimitCycle, ...]:
        """Return the rate-limit windows of every account with their forecast, without their usage.

        Raises `UserError`.
        """
        now = self._clock()
        found: list[LimitCycle] = []
        for sample in await self._ledger.latest_samples(now + SLOT_S):
            place = sample.account, sample.name
            samples = await self._ledger.samples(*place, now - forecast.DAYS_S, now)
            # In a thread: a screen waits for it.
            known = await asyncio.to_thread(forecast.forecast, samples, now)
            full_at = known.full_at if known else None
            found.append(replace(cycle_of(sample, now), full_at=full_at))
        return tuple(found)

    async def cycles(self) -> tuple[LimitCycle, ...]:
        """Return the rate-limit windows of every account since their last reset.

        Raises `UserError`.
        """
        now = self._clock()
        found: list[LimitCycle] = []
        for cycle in await self.limits():
            row = await self._since_reset(cycle, UsageQuery(UsageGroup.MODEL), now)
            spent = {"usage": row.usage, "cost_usd": row.cost_usd, "unpriced": row.unpriced}
            found.append(replace(cycle, **spent))
        return tuple(found)

    async def _cycle_report(self, query: UsageQuery) -> UsageReport:
        """Return the usage of each rate-limit window; they overlap, so the total is not a sum."""
        now = self._clock()
        rows: list[UsageRow] = []
        for sample in await self._ledger.latest_samples(now + SLOT_S):
            cycle = cycle_of(sample, now)
            if query.account in (None, cycle.account):
                row = await self._since_reset(cycle, query, now)
                ends_at = cycle.resets_at if (cycle.resets_at or 0.0) > now else None
                rows.append(replace(row, starts_at=cycle.starts_at, ends_at=ends_at))
        starts = [row.starts_at for row in rows if row.starts_at is not None]
        since = query.since if query.since is not None else min(starts, default=None)
        by_model = replace(query, by=UsageGroup.MODEL, since=since)
        total = await self._total(
            await self._ledger.sums(by_model), await self._ledger.count_runs(by_model)
        )
        return UsageReport(query, tuple(rows), total)

    async def _since_reset(self, cycle: LimitCycle, query: UsageQuery, now: float) -> UsageRow:
        """Return the usage of the account in a window; nothing where its start is unknown."""
        key = f"{cycle.account} {cycle.name}"
        if cycle.starts_at is None:
            return UsageRow(key)
        within = replace(
            query,
            by=UsageGroup.MODEL,
            account=cycle.account,
            since=max(cycle.starts_at, query.since or 0.0),
            until=now + SLOT_S if query.until is None else query.until,
        )
        sums = await self._ledger.sums(within)
        if cycle.account != SIMULATED:  # a simulated run can name another account
            sums = [one for one in sums if one.model != SIMULATED]
        row = await self._total(sums, await self._ledger.count_runs(within))
        return replace(row, key=key)

    async def _total(self, sums: Sequence[UsageSum], runs: int) -> UsageRow:
        row = await asyncio.to_thread(fold, sums, self._price)
        return replace(row, key="total", runs=runs)

    async def estimate(self, specs: Sequence[RunSpec]) -> SpendEstimate | None:
        """Estimate what new runs will use; None where no similar run has ended."""
        spent = await self._ledger.spent()
        found = await asyncio.to_thread(estimate.estimate, specs, spent, self._price)
        accounts = {account_of_spec(spec) for spec in specs}
        if found is None or len(accounts) > 1 or accounts == {SIMULATED}:
            return found
        (account,) = accounts
        return replace(found, shares=estimate.shares(found.tokens, await self.cycles(), account))
