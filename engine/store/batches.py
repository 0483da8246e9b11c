"""The batches' own table: what was asked for, and the budget, which can be changed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from engine.domain.batch import Batch

_COLUMNS = "id, name, template, made_of, created_at, budget"
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
        f"INSERT INTO batches ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (swarm.id, swarm.name, swarm.template, swarm.made_of, now, swarm.budget_tokens),
    )


def set_budget(db: sqlite3.Connection, batch: str, tokens: int | None) -> None:
    """Change what its runs may use together."""
    db.execute("UPDATE batches SET budget = ? WHERE id = ?", (tokens, batch))


def query(ids: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Ask for the batches named, or for all, newest first."""
    where = f" WHERE id IN ({','.join('?' * len(ids))})" if ids else ""
    return f"SELECT {_COLUMNS} FROM batches{where} ORDER BY key DESC", ids


def read(rows: Iterable[tuple[Any, ...]]) -> list[Batch]:
    """Read what was asked for."""
    return [Batch(*row) for row in rows]
