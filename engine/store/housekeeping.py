"""Housekeeping of the database: SQLite's statistics, and its log, which never shrinks by itself."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from engine.domain.text import size

ANALYSED_ROWS = 1000
"""Rows of an index that are read for its statistics, at most: the work does not grow with them."""
LATEST = 253_370_764_800
"""A time in the last year with four digits: hostile settings name none after it."""
LOG_BYTES = 64 * 1024**2
"""Size above which the log is emptied; a long reader can keep SQLite from using it again."""
KEPT_AT = "database put in order"
"""The setting that holds when this was done last, in seconds since 1970."""
_COUNTS = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM events)"


def keep_house(db: sqlite3.Connection) -> None:
    """Bring the statistics up to date, and empty a large log.

    Readers are not waited for: while one reads what the log holds, it stays until the next time.
    """
    db.execute(f"PRAGMA analysis_limit = {ANALYSED_ROWS}")
    db.execute("ANALYZE")
    db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (KEPT_AT, str(int(time.time()))))
    if log_bytes(db) > LOG_BYTES:
        timeout = db.execute("PRAGMA busy_timeout").fetchone()[0]
        db.execute("PRAGMA busy_timeout = 0")
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.execute(f"PRAGMA busy_timeout = {timeout}")


def describe(db: sqlite3.Connection) -> str:
    """Return the content of a whole database in words, and what it keeps that is large."""
    runs, events = db.execute(_COUNTS).fetchone()
    counted = f"{runs} run{'s' * (runs != 1)}, {events} event{'s' * (events != 1)}"
    words = [f"{counted}, no damage", _kept_words(db)]
    if (log := log_bytes(db)) > LOG_BYTES:
        words.append(f"its log takes {size(log)}")
    if (free := free_bytes(db)) > LOG_BYTES:
        words.append(f"{size(free)} are empty and will be released")
    return ", ".join(words)


def _kept_words(db: sqlite3.Connection) -> str:
    """Return when the database was put in order last: a supervisor does so every hour."""
    row = db.execute("SELECT value FROM settings WHERE name = ?", (KEPT_AT,)).fetchone()
    if row is None or not row[0].isdecimal():
        return "not put in order yet"
    at = time.localtime(min(int(row[0]), LATEST))
    return time.strftime("put in order %Y-%m-%d %H:%M", at)


def free_bytes(db: sqlite3.Connection) -> int:
    """Return the bytes of the file that hold nothing, and that `shrink` would release."""
    pages = db.execute("PRAGMA freelist_count").fetchone()[0]
    return pages * db.execute("PRAGMA page_size").fetchone()[0]


def log_bytes(db: sqlite3.Connection) -> int:
    """Return the size of SQLite's log; 0 where there is none."""
    path = db.execute("PRAGMA database_list").fetchone()[2]
    try:
        return Path(path + "-wal").stat().st_size if path else 0
    except OSError:
        return 0
