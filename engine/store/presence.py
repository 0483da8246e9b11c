"""Check that the database of a home is still the one that was there: nothing is guessed.

A missing or empty database beside the folders of runs is not a new home. Only `stat` is used here:
to open and close the file would drop the locks that SQLite holds on it in this process.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from engine.domain.errors import UserError, user_error
from engine.store.ids import made_at

RECORD = "run.json"
"""Name of the record of a run, in its folder (`engine.execution.run_records`)."""
MADE_S = 2.0
"""The folder of a run is made within this time after its id."""
NEWEST_FORGOTTEN = "newest forgotten run"
"""The setting that holds the newest id of a run that was forgotten."""
NEWEST = f"""SELECT max(id) FROM (SELECT max(id) AS id FROM runs
    UNION ALL SELECT value FROM settings WHERE name = '{NEWEST_FORGOTTEN}')"""
"""The newest id that was ever used."""
MARKER = "database-made"
"""Beside the database: proves that there was one, and which, even when it is gone."""


def was_made(path: Path) -> bool:
    """Return whether this home had a database: there is the marker, or the folder of a run."""
    return path.with_name(MARKER).exists() or _has_runs(path)


def check_present(path: Path) -> None:
    """Raise `UserError` DATABASE_MISSING where there was a database, and it is gone or empty."""
    # Looked at twice: another process may be making it, and the marker comes after that.
    if not _size(path) and was_made(path) and not (size := _size(path)):
        raise missing(path, "was deleted" if size is None else "was emptied")


def check_filled(path: Path, db: sqlite3.Connection) -> None:
    """Raise `UserError` where the tables are gone, or nothing was ever written beside run folders.

    A database in which all runs were deleted remembers that it had events.
    """
    try:
        is_used = _is_used(db)
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        raise user_error("DATABASE_CORRUPT", f"{path} has lost its tables.") from error
    if not is_used and _has_runs(path) and not _is_used(db):
        raise missing(path, "knows nothing of the runs beside it: it was replaced")
    _check_newest(path, db)


def _check_newest(path: Path, db: sqlite3.Connection) -> None:
    """Raise `UserError` where the database does not know the newest run beside it."""
    runs = path.with_name("runs")
    newest = db.execute(NEWEST).fetchone()[0] or ""
    with suppress(OSError):
        if runs.stat().st_mtime < made_at(newest) + MADE_S:
            return  # no folder was made since
        # Ids sort by time. Only a run that was added has a record.
        later = [name for name in os.listdir(runs) if name > newest]  # noqa: PTH208  thousands of names at each start
        last = max((name for name in later if (runs / name / RECORD).exists()), default="")
        # Asked again: another process may have added it.
        if last > (db.execute(NEWEST).fetchone()[0] or ""):
            raise missing(path, f"is older than the folders of its runs: it does not know {last}")


def missing(path: Path, how: str) -> UserError:
    """Return the error for a database that is not there any more."""
    return user_error("DATABASE_MISSING", f"The database {path} {how}.")


class DatabaseLocation:
    """The files of an open database, which must stay where they are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._database, self._wal = _inode(path), _inode(self._log)
        self.damage: UserError | None = None
        """Error that was found in their content."""

    def check(self) -> None:
        """Raise `UserError` where they were deleted, emptied or replaced, or are damaged."""
        if self.damage:
            raise self.damage
        try:
            found = os.stat(self.path)  # noqa: PTH116  asked for with every transaction
        except (FileNotFoundError, NotADirectoryError):
            raise missing(self.path, "was deleted") from None
        if (found.st_dev, found.st_ino) != self._database:
            raise missing(self.path, "was replaced: restart this program once it is in order")
        if not found.st_size:
            raise missing(self.path, "was emptied")
        if self._wal and _inode(self._log) != self._wal:
            raise missing(self._log, "was deleted or replaced")


def _has_runs(path: Path) -> bool:
    with suppress(OSError):
        return any(path.with_name("runs").glob("*/attempt-*")) or any(
            path.with_name("runs").glob(f"*/{RECORD}")
        )
    return False


def _is_used(db: sqlite3.Connection) -> bool:
    query = """SELECT EXISTS (SELECT 1 FROM runs)
        OR EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')"""
    return bool(db.execute(query).fetchone()[0])


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        info = os.stat(path)  # noqa: PTH116  asked for with every transaction
    except (FileNotFoundError, NotADirectoryError):
        return None
    return info.st_dev, info.st_ino
