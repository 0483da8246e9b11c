"""The database kept small: old events of runs that ended long ago, and the room they took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiosqlite

from engine.domain.events import Notice
from engine.domain.lifecycle import FINISHED
from engine.store import codec, search

KEPT = 200
"""The last events of a run, which always stay."""
ROWS = 5000
PAGES = 2000  # at a time: others write in between
FULL_BYTES = 1024**3
_ENDED = ",".join(f"'{status.value}'" for status in sorted(FINISHED))
_AT = "run = ? AND seq = ?"
_GOING = "id IN (SELECT id FROM events WHERE run = ? AND seq < ? ORDER BY seq LIMIT ?)"

Transaction = Callable[[], AbstractAsyncContextManager[aiosqlite.Connection]]


async def drop_events(transaction: Transaction, before: float, kept: int) -> dict[str, int]:
    """Drop all but the last events of runs that ended before a time; gives how many, by run.

    The first event that stays says so in their place.
    """
    dropped: dict[str, int] = {}
    async with transaction() as db:
        rows = await db.execute_fetchall(
            "SELECT r.key, r.id, r.last_seq FROM runs r"
            f" WHERE r.status IN ({_ENDED}) AND r.last_seq > ?"
            " AND (SELECT at FROM events WHERE run = r.key AND seq = r.last_seq) < ?"
            " AND EXISTS (SELECT 1 FROM events WHERE run = r.key AND seq < r.last_seq - ?)",
            (kept, before, kept),
        )
    for key, run, last_seq in rows:
        if count := await _drop(transaction, key, last_seq - kept):
            dropped[run] = count
    return dropped


async def _drop(transaction: Transaction, key: int, place: int) -> int:
    count = 0
    said = codec.body_text(Notice("info", f"older events were dropped: {place}"))
    while True:
        async with transaction() as db:
            status = f"SELECT 1 FROM runs WHERE key = ? AND status IN ({_ENDED})"
            if not list(await db.execute_fetchall(status, (key,))):
                return count  # it goes on
            going = (key, place, ROWS)
            await search.forget(db, _AT, (key, place))
            await search.forget(db, _GOING, going)
            await db.execute(
                f"UPDATE events SET type = 'notice', data = ? WHERE {_AT}", (said, key, place)
            )
            await search.learn(db, _AT, (key, place))
            done = await db.execute(f"DELETE FROM events WHERE {_GOING}", going)
        count += done.rowcount
        if done.rowcount < ROWS:
            return count


async def give_back(db: aiosqlite.Connection, free_bytes: int, *, idle: bool) -> bool:
    """Give a little of what is free in the file back to the disk; says if there may be more.

    A database from before this could be done is written anew once, while nothing is at work.
    """
    if await _value(db, "auto_vacuum") == 0:
        size = await _value(db, "page_count") * await _value(db, "page_size")
        if idle and size < min(FULL_BYTES, free_bytes / 3):
            await db.execute_fetchall("PRAGMA auto_vacuum = INCREMENTAL")
            await db.execute_fetchall("VACUUM")
        return False
    # It frees a page a step, and only a script is stepped to its end.
    await db.executescript(f"PRAGMA incremental_vacuum({PAGES})")
    return await _value(db, "freelist_count") > PAGES


async def _value(db: aiosqlite.Connection, name: str) -> int:
    rows: Sequence[Any] = list(await db.execute_fetchall(f"PRAGMA {name}"))
    return rows[0][0]
