"""A look at an open database from outside: damage that its own connections have not met yet.

They keep pages in memory, so that a file overwritten in place goes unnoticed for long. The file is
read through SQLite: to open and close it otherwise would drop the locks of this process.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from engine.domain.errors import UserError
from engine.store import identity
from engine.store.connect import BUSY_TIMEOUT_MS
from engine.store.database_errors import translated
from engine.store.presence import missing

_NEWEST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)"
_EVENT = "SELECT at FROM events WHERE id = ?"
_RUN = "SELECT id FROM runs ORDER BY id DESC LIMIT 1"


class DatabaseProbe:
    """Looks at one database; remembers how far it had come, and how large it was."""

    def __init__(self, path: Path, number: int = 0) -> None:
        self._path = path
        self._identity = number
        self._newest = 0
        self._size = path.stat().st_size
        self._at: tuple[float] | None = None
        """Time of the newest event: another database has another one in its place."""

    def check(self) -> UserError | None:
        """Return the damage, if there is any; what only passes is none."""
        try:
            with translated(self._path):
                self._probe()
        except UserError as error:
            return error if error.entry.is_damage else None
        except OSError:  # what is not there is found by its name
            return None
        return None

    def _probe(self) -> None:
        size = self._path.stat().st_size
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True)) as db:
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            try:
                self._identity = self._identity or identity.identity(db)
                identity.check(self._path, self._identity)
                newest = db.execute(_NEWEST).fetchone()[0]
                known, at = (db.execute(_EVENT, (n,)).fetchone() for n in (self._newest, newest))
                db.execute(_RUN).fetchone()
            except sqlite3.OperationalError as error:
                if "no such table" not in str(error):
                    raise
                raise missing(self._path, "was replaced by another one") from error
            if newest < self._newest:
                raise missing(self._path, "was replaced by an older one")
            if known and self._at and known != self._at:
                raise missing(self._path, "was replaced by another one")
            if size < self._size:  # by a clean-up, or it was cut off
                _check_whole(db)
        self._newest, self._at, self._size = newest, at, size


def _check_whole(db: sqlite3.Connection) -> None:
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)
