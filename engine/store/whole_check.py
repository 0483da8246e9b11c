"""A check of the whole database for damage: it reads every page, which may take minutes."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from engine.domain.errors import user_error
from engine.store import housekeeping
from engine.store.connect import BUSY_TIMEOUT_MS
from engine.store.database_errors import translated
from engine.store.reading import StoreReader

AGAIN_S = 0.1
"""Time after which it is interrupted again: before its first statement, that means nothing."""


async def check_whole(store: StoreReader) -> str:
    """Return the content of a database in words; raises `UserError`, such as DATABASE_CORRUPT.

    The check has a connection of its own: neither reads nor writes wait for it. A cancel ends it.
    """
    assert store.place
    store.place.check()
    path = store.place.path
    with translated(path), closing(_opened(path)) as db:
        reading = asyncio.ensure_future(asyncio.to_thread(_check, db))
        try:
            return await asyncio.shield(reading)
        finally:
            while not reading.done():  # cancelled: SQLite stops within a moment
                db.interrupt()
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([reading], timeout=AGAIN_S)
            reading.exception()


def _opened(path: Path) -> sqlite3.Connection:
    # `mode=rw`: a database that is missing is not made.
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, check_same_thread=False)


def _check(db: sqlite3.Connection) -> str:
    db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise user_error("DATABASE_CORRUPT", f"The database is damaged: {found}.")
    return housekeeping.describe(db)
