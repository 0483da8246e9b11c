"""A database read on the thread that asks, for a process that has nothing else to do meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from engine.domain.errors import UserError
from engine.store import identity
from engine.store.migrations import MIGRATIONS
from engine.store.presence import DatabaseLocation, check_filled
from engine.store.reading import StoreReader

BUSY_TIMEOUT_MS = 5000
T = TypeVar("T")


class DirectConnection:
    """SQLite on this thread; what it returns is awaited like work on another one."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def do(self, work: Callable[[sqlite3.Connection], T], /) -> T:
        """Do a piece of work at once."""
        return work(self._db)


@contextmanager
def open_direct(path: Path) -> Generator[StoreReader | None]:
    """Open the database at `path` to be read; None where `open_store` has to look at it first.

    Nothing is made, migrated, numbered or repaired here: only the database of this version that is
    in order is read.
    """
    db = _opened(path)
    if db is None:
        yield None
        return
    with closing(db):
        reader = StoreReader(DirectConnection(db))
        reader.place = DatabaseLocation(path)
        yield reader


def _opened(path: Path) -> sqlite3.Connection | None:
    """Return a connection that cannot write, to a database in order."""
    try:
        db = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None)
    except sqlite3.Error:
        return None
    try:
        db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        db.execute("PRAGMA query_only = ON")
        if _is_in_order(path, db):
            return db
    except (sqlite3.Error, UserError, OSError):
        pass  # `open_store` finds the same, and names it
    db.close()
    return None


def _is_in_order(path: Path, db: sqlite3.Connection) -> bool:
    """Return whether nothing has to be done about a database; raises where it cannot be read."""
    if _pragma(db, "user_version") != len(MIGRATIONS) or _pragma(db, "journal_mode") != "wal":
        return False
    number = identity.identity(db)
    if not number or number != identity.noted(path):
        return False
    check_filled(path, db)
    identity.check(path, number)
    return True


def _pragma(db: sqlite3.Connection, name: str) -> object:
    return db.execute(f"PRAGMA {name}").fetchone()[0]
