"""The identity of a database: a number in its header, kept a second time beside it.

Another database copied over this one has another number, also where SQLite's log still holds pages
of this one and answers for it.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from engine.store.presence import MARKER, missing
from engine.system.durable import write_synced
from engine.system.files import read_regular

_READ = "PRAGMA application_id"
_LINE = re.compile(rb"^identity (\d{1,10})$", re.MULTILINE)
_LARGEST = 2**31 - 1


def settle(path: Path, db: sqlite3.Connection, *, is_new: bool) -> None:
    """Check that the database is the one of its home, and number one without a number.

    `is_new`: the database may replace the one that was there. Raises `UserError`. On a full
    disk it stays without a number.
    """
    expected = 0 if is_new else noted(path)
    found = _numbered(db, expected)
    check(path, expected or found)
    if expected and found not in (0, expected):
        raise missing(path, "was replaced by another one")
    _note(path, found)


def identity(db: sqlite3.Connection) -> int:
    """Return the number of a database; 0 where it has none."""
    return db.execute(_READ).fetchone()[0]


def check(path: Path, expected: int) -> None:
    """Raise `UserError` where the file itself belongs to another database, or is none.

    SQLite's log is left out, so that only the header is certain to be in order.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        found = identity(db)
    if expected and found not in (0, expected):
        raise missing(path, "was replaced by another one")


def _numbered(db: sqlite3.Connection, number: int) -> int:
    """Return the number of a database, which gets `number`, or a new one, where it has none."""
    if not identity(db):
        with suppress(sqlite3.OperationalError):  # read-only, or the disk is full
            db.execute("BEGIN IMMEDIATE")
            try:
                if not identity(db):  # another process may have been quicker
                    number = number or int.from_bytes(os.urandom(8)) % _LARGEST + 1
                    db.execute(f"PRAGMA application_id = {number}")
                db.execute("COMMIT")
            except BaseException:
                db.rollback()
                raise
    return identity(db)


def noted(path: Path) -> int:
    """Return the number of the home's database as it is kept beside it; 0 where it is not."""
    try:
        found = _LINE.search(read_regular(path.with_name(MARKER)))
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _note(path: Path, number: int) -> None:
    """Record that there is a database from now on; a full disk stops no work."""
    marker = path.with_name(MARKER)
    if not marker.exists() or (number and number != noted(path)):
        with suppress(OSError):
            write_synced(
                marker, f"The database of this home was made.\nidentity {number}\n".encode()
            )
