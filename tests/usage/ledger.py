"""A ledger in memory, filled row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from engine.domain.model import Usage
from engine.domain.usage import DEFAULT_ACCOUNT, LimitSample, UsageQuery, UsageReport, slot_of
from engine.store import typed
from engine.store.migrations import MIGRATIONS
from engine.store.usage_reading import UsageReader
from engine.usage.service import UsageReports


def price(model: str, usage: Usage) -> float | None:
    """A dollar for a million tokens of the models that have a price."""
    return (usage.input + usage.output) / 1e6 if model.startswith("gpt") else None


class Ledger:
    """The tables of a new home, the reports on them, and the questions that were put to them."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.asked: list[str] = []
        self.db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        typed.register(self.db)
        for statements in MIGRATIONS:
            for statement in statements:
                self.db.execute(statement)
        self.reports = UsageReports(UsageReader(self._read), price, lambda: self.now)

    async def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        self.asked.append(query)
        return self.db.execute(query, values).fetchall()

    def add_run(self, run: str, batch: str | None = None, project: str = "garden") -> None:
        """Add a run that is still known."""
        self.db.execute(
            "INSERT INTO runs (id, project, batch, status, last_seq, spec, state)"
            " VALUES (?, ?, ?, 'succeeded', 0, '{}', '{}')",
            (run, project, batch),
        )

    def use(
        self,
        run: str,
        at: float,
        usage: Usage,
        model: str = "gpt-5",
        account: str = DEFAULT_ACCOUNT,
        project: str = "garden",
    ) -> None:
        """Count the usage of a run."""
        self._insert("usage_slots", run, at, usage, (model, account, project))

    def use_elsewhere(
        self,
        thread: str,
        at: float,
        usage: Usage,
        model: str = "gpt-5",
        account: str = DEFAULT_ACCOUNT,
        project: str = "",
    ) -> None:
        """Count the usage of another session."""
        self._insert("session_slots", thread, at, usage, (model, account, project))

    def _insert(
        self, table: str, name: str, at: float, usage: Usage, place: tuple[str, str, str]
    ) -> None:
        parts = [getattr(usage, part, 0) for part in PARTS]
        key = "run" if table == "usage_slots" else "thread"
        self.db.execute(
            f"INSERT INTO {table} ({key}, slot, model, account, project, {', '.join(PARTS)})"
            f" VALUES ({', '.join('?' * (5 + len(PARTS)))})",
            (name, slot_of(at), *place, *parts),
        )

    def sample(self, sample: LimitSample) -> None:
        """Store a sample of a rate-limit window."""
        self.db.execute(
            "INSERT INTO limit_samples (account, name, at, used_percent, window_minutes, resets_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                sample.account,
                sample.name,
                sample.at,
                sample.used_percent,
                sample.window_minutes,
                sample.resets_at,
            ),
        )

    async def report(self, **asked: Any) -> UsageReport:
        """Put a question."""
        return await self.reports.report(UsageQuery(**asked))

    def plans(self) -> str:
        """Return how SQLite would answer the last questions."""
        return "\n".join(
            row[3]
            for query in self.asked
            for row in self.db.execute(f"EXPLAIN QUERY PLAN {query}", (0,) * query.count("?"))
        )


PARTS = ("input", "cached", "output", "reasoning", "requests")
