"""Errors of SQLite, as errors in words."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.domain.errors import UserError, user_error
from engine.system.files import free_bytes

LEAST = 64 * 1024  # SQLite needs half of it for its index of the WAL


@contextmanager
def translated(path: Path | None = None) -> Generator[None]:
    """Turn SQLite's errors into `UserError`s; `path` names the file where it is known."""
    name = path or "The database"
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise user_error("DATABASE_LOCKED") from error
        if "full" in text or ("I/O" in text and path and _is_full(path)):
            raise _full(name) from error
        if "malformed" in text:
            raise user_error("DATABASE_CORRUPT", f"{name} is damaged: {text}.") from error
        raise user_error("DATABASE_UNUSABLE", f"{name} cannot be used: {text}.") from error
    except sqlite3.IntegrityError as error:
        # Of one record, which contradicts others: the rest of the database is in order.
        raise user_error("INTERNAL", f"A record cannot be stored: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise user_error("DATABASE_CORRUPT", f"{name} is damaged: {error}.") from error
    except UnicodeEncodeError as error:
        raise user_error("INPUT_INVALID", "The input holds bytes that are not UTF-8.") from error


def read_rows(db: sqlite3.Connection, query: str, values: Sequence[Any] = ()) -> list[Any]:
    """Return the rows of a query; bytes that are not UTF-8 are replaced, and hide no other row."""
    try:
        return db.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        if "UTF-8" not in str(error):
            raise
    plain, db.text_factory = db.text_factory, _lossy  # only now: it takes longer for each text
    try:
        return db.execute(query, values).fetchall()
    finally:
        db.text_factory = plain


def _lossy(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _full(name: Path | str) -> UserError:
    # Not with `cleanup`, as elsewhere: it needs the database.
    way_out = "Free some space on that disk, then try again."
    return user_error("DISK_FULL", f"{name} cannot be written: the disk is full.", way_out)


def _is_full(path: Path) -> bool:
    """Return whether the disk of `path` is full: SQLite reports only that writing failed."""
    try:
        return free_bytes(path.parent) < LEAST
    except OSError:
        return False


def refused(name: Path, error: OSError) -> UserError:
    """Return the error for a database file that the system keeps from us."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(name)
    return user_error("DATABASE_UNUSABLE", f"{name} may not be written: {error.strerror}.")
