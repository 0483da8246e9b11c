"""Databases of earlier versions, made from one of today."""

from __future__ import annotations

import re
import sqlite3
from itertools import chain

from engine.store.migrations import MIGRATIONS

_TABLES = [re.findall(r"CREATE TABLE (\w+)", " ".join(statements)) for statements in MIGRATIONS]


def version_before(table: str) -> int:
    """Return the latest version of the database that does not have a table."""
    return next(number for number, tables in enumerate(_TABLES) if table in tables)


def go_back(db: sqlite3.Connection, version: int) -> None:
    """Drop the tables and columns that later versions added: opened, it is migrated again."""
    later = " ".join(chain.from_iterable(MIGRATIONS[version:]))
    dropped = list(chain.from_iterable(_TABLES[version:]))
    for table in dropped:
        db.execute(f"DROP TABLE {table}")
    for index in re.findall(r"CREATE INDEX (\w+)", later):
        db.execute(f"DROP INDEX IF EXISTS {index}")
    for table, column in re.findall(r"ALTER TABLE (\w+) ADD (?:COLUMN )?(\w+)", later):
        if table not in dropped:
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    db.execute(f"PRAGMA user_version = {version}")
