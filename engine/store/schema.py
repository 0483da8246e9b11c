"""Check that a newer database still holds the tables and columns that this version works with."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from engine.store import typed
from engine.store.migrations import MIGRATIONS


class _Column(NamedTuple):
    name: str
    type: str
    is_needed: bool
    """True if a new row has to bring a value for it."""


def holds_ours(db: sqlite3.Connection) -> bool:
    """Return whether this version can work with a database that a newer one has migrated.

    More tables and columns do no harm, as long as new rows may do without values for them.
    """
    ours = sqlite3.connect(":memory:", isolation_level=None)
    typed.register(ours)
    try:
        for statements in MIGRATIONS:
            for statement in statements:
                ours.execute(statement)
        return all(_fits(_columns(ours, name), _columns(db, name)) for name in _tables(ours))
    finally:
        ours.close()


def _tables(db: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    names = [row[0] for row in db.execute(query)]
    return [name for name in names if not name.startswith("sqlite_")]


def _columns(db: sqlite3.Connection, table: str) -> dict[str, _Column]:
    query = 'SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?)'
    rows = db.execute(query, (table,))
    return {
        name: _Column(name, kind.upper(), bool(notnull) and default is None)
        for name, kind, notnull, default in rows
    }


def _fits(ours: dict[str, _Column], theirs: dict[str, _Column]) -> bool:
    held = all(name in theirs and theirs[name].type == ours[name].type for name in ours)
    return held and not any(column.is_needed for name, column in theirs.items() if name not in ours)
