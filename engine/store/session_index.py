"""Stored places in session files, read by the process that reads these files.

It has a connection of its own, which writes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

BUSY_TIMEOUT_S = 5.0


class KnownFile(NamedTuple):
    """A file as it was when it was read last."""

    size: int
    mtime_ns: int


class KnownPlace(NamedTuple):
    """The place in a file up to which it was read."""

    offset: int
    check: bytes
    state: bytes


class KnownThread(NamedTuple):
    """A thread as it is stored."""

    root: str
    project: str
    revision: int
    keys: bytes


class KnownFolder(NamedTuple):
    """A folder as it was when all of its files had been read."""

    mtime_ns: int
    newest: float


class SessionIndex:
    """The stored places of one database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def folder(self, folder: bytes) -> KnownFolder | None:
        """Return a folder as it was when all of its files had been read; None: they were not."""
        query = "SELECT mtime_ns, newest FROM session_folders WHERE folder = ?"
        row = self._db.execute(query, (folder,)).fetchone()
        return KnownFolder(*row) if row else None

    def files(self, folder: bytes) -> dict[bytes, KnownFile]:
        """Return the files of a folder that were read, by name."""
        query = "SELECT name, size, mtime_ns FROM session_files WHERE folder = ?"
        rows = self._db.execute(query, (folder,))
        return {name: KnownFile(size, mtime_ns) for name, size, mtime_ns in rows}

    def place(self, folder: bytes, name: bytes) -> KnownPlace | None:
        """Return the place up to which a file was read; None: it was not."""
        query = "SELECT offset, checked, state FROM session_files WHERE folder = ? AND name = ?"
        row = self._db.execute(query, (folder, name)).fetchone()
        return KnownPlace(*row) if row else None

    def thread(self, thread: str) -> KnownThread | None:
        """Return a thread as it is stored; None: it is not."""
        query = "SELECT root, project, revision, keys FROM session_threads WHERE thread = ?"
        row = self._db.execute(query, (thread,)).fetchone()
        return KnownThread(*row) if row else None


@contextmanager
def open_index(database: Path) -> Generator[SessionIndex]:
    """Open the index of a database; raises sqlite3.Error."""
    address = f"{database.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, BUSY_TIMEOUT_S, uri=True)) as db:
        yield SessionIndex(db)
