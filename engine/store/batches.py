"""The batches' own table: what was asked for, and the budget, which can be changed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from engine.domain.batch import Batch
from engine.domain.budget import Budget, BudgetUnit

_COLUMNS = "id, name, template, made_of, created_at, budget, budget_unit"
_SLUG_CHARACTERS = 40


def free_id(db: sqlite3.Connection, name: str) -> str:
    """Make an id of a name: the name where that is free, else with a number behind it."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_SLUG_CHARACTERS].strip("-") or "batch"
    query = "SELECT id FROM batches WHERE id = ? OR id GLOB ?"
    taken = {row[0] for row in db.execute(query, (slug, f"{slug}-[0-9]*"))}
    number = 2
    while slug in taken and f"{slug}-{number}" in taken:
        number += 1
    return f"{slug}-{number}" if slug in taken else slug


def add(db: sqlite3.Connection, swarm: Batch, now: float) -> None:
    """Write a batch down."""
    db.execute(
        f"INSERT INTO batches ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (swarm.id, swarm.name, swarm.template, swarm.made_of, now, *_stored(swarm.budget)),
    )


def set_budget(db: sqlite3.Connection, batch: str, budget: Budget | None) -> None:
    """Change what its runs may use together."""
    change = "UPDATE batches SET budget = ?, budget_unit = ? WHERE id = ?"
    db.execute(change, (*_stored(budget), batch))


def _stored(budget: Budget | None) -> tuple[float | None, str]:
    return (budget.amount, budget.unit) if budget else (None, BudgetUnit.TOKENS)


def query(ids: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Ask for the batches named, or for all, newest first."""
    where = f" WHERE id IN ({','.join('?' * len(ids))})" if ids else ""
    return f"SELECT {_COLUMNS} FROM batches{where} ORDER BY key DESC", ids


def read(rows: Iterable[tuple[Any, ...]]) -> list[Batch]:
    """Read what was asked for."""
    return [Batch(*row, budget=_budget(*stored)) for *row, stored in _paired(rows)]


def _paired(rows: Iterable[tuple[Any, ...]]) -> Iterable[tuple[Any, ...]]:
    return ((*row[:-2], row[-2:]) for row in rows)


def _budget(amount: float | None, unit: str) -> Budget | None:
    return None if amount is None else Budget(amount, BudgetUnit.read(unit))
