"""Usage as a test has put it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.domain.model import RunSpec
from engine.domain.usage import LimitCycle, SpendEstimate, UsageQuery, UsageReport, UsageRow


class FakeUsage:
    """Returns the rows, points and cycles of the test, and keeps the questions."""

    def __init__(self) -> None:
        self.queries: list[UsageQuery] = []
        self.found = UsageReport(UsageQuery())
        self.line: tuple[UsageRow, ...] = ()
        self.windows: tuple[LimitCycle, ...] = ()
        self.estimated: SpendEstimate | None = None
        self.limit_reads = 0
        self.error: Exception | None = None

    async def catch_up(self, limit_s: float) -> None:
        """Read nothing."""

    async def report(self, query: UsageQuery) -> UsageReport:
        self.queries.append(query)
        return replace(self.found, query=query)

    async def points(self, query: UsageQuery, step_s: float) -> tuple[UsageRow, ...]:
        return self.line

    async def limits(self) -> tuple[LimitCycle, ...]:
        self.limit_reads += 1
        if self.error:
            raise self.error
        return self.windows

    async def cycles(self) -> tuple[LimitCycle, ...]:
        return self.windows

    async def estimate(self, specs: Sequence[RunSpec]) -> SpendEstimate | None:
        return self.estimated
