"""The database kept small: old events of runs that ended long ago, and the room they took."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from engine.domain.events import Notice
from engine.domain.lifecycle import FINISHED
from engine.store import codec, search
from engine.store.housekeeping import keep_house

ROWS = 5000
PAGES = 2000  # at a time: others write in between
FULL_BYTES = 1024**3
_ENDED = ",".join(f"'{status.value}'" for status in sorted(FINISHED))
_AT = "run = ? AND seq = ?"
_GOING = "id IN (SELECT id FROM events WHERE run = ? AND seq < ? ORDER BY seq LIMIT ?)"

T = TypeVar("T")


class WriteTransaction(Protocol):
    """A function that runs its work as one transaction."""

    def __call__(self, work: Callable[[sqlite3.Connection], T], /) -> Awaitable[T]: ...  # noqa: D102  documented by its class


async def drop_events(write: WriteTransaction, before: float, kept: int) -> dict[str, int]:
    """Drop all but the last events of runs that ended before a time; return the number by run.

    The first event that stays records the gap.
    """
    dropped: dict[str, int] = {}
    for key, run, last_seq in await write(lambda db: _droppable(db, before, kept)):
        if count := await _drop(write, key, last_seq - kept):
            dropped[run] = count
    return dropped


def _droppable(db: sqlite3.Connection, before: float, kept: int) -> list[tuple[int, str, int]]:
    return db.execute(
        "SELECT r.key, r.id, r.last_seq FROM runs r"
        f" WHERE r.status IN ({_ENDED}) AND r.last_seq > ?"
        " AND (SELECT at FROM events WHERE run = r.key AND seq = r.last_seq) < ?"
        " AND EXISTS (SELECT 1 FROM events WHERE run = r.key AND seq < r.last_seq - ?)",
        (kept, before, kept),
    ).fetchall()


async def _drop(write: WriteTransaction, key: int, place: int) -> int:
    count = 0
    while True:
        dropped = await write(lambda db: _drop_some(db, key, place))
        count += dropped
        if dropped < ROWS:
            return count


def _drop_some(db: sqlite3.Connection, key: int, place: int) -> int:
    status = f"SELECT 1 FROM runs WHERE key = ? AND status IN ({_ENDED})"
    if not db.execute(status, (key,)).fetchall():
        return 0  # it goes on
    going = (key, place, ROWS)
    said = codec.body_text(Notice("info", f"older events were dropped: {place}"))
    search.forget(db, _AT, (key, place))
    search.forget(db, _GOING, going)
    db.execute(f"UPDATE events SET type = 'notice', data = ? WHERE {_AT}", (said, key, place))
    search.learn(db, _AT, (key, place))
    return db.execute(f"DELETE FROM events WHERE {_GOING}", going).rowcount


def shrink(db: sqlite3.Connection, free_bytes: int, *, idle: bool) -> bool:
    """Release some free pages of the file to the disk; return whether there may be more.

    With the last ones, SQLite's statistics and its log are put in order.
    A database from an earlier version is rewritten once, while nothing is at work.
    """
    if _value(db, "auto_vacuum") == 0:
        size = _value(db, "page_count") * _value(db, "page_size")
        if idle and size < min(FULL_BYTES, free_bytes / 3):
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("VACUUM")
        keep_house(db)
        return False
    # It frees a page a step, and only a script is stepped to its end.
    db.executescript(f"PRAGMA incremental_vacuum({PAGES})")
    more = _value(db, "freelist_count") > PAGES
    if not more:
        keep_house(db)
    return more


def _value(db: sqlite3.Connection, name: str) -> int:
    return db.execute(f"PRAGMA {name}").fetchone()[0]
