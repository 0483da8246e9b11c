"""Connections to the database."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from engine.domain.errors import user_error
from engine.store import identity, typed
from engine.store.database_errors import refused, translated
from engine.store.migrations import MIGRATIONS
from engine.store.presence import check_filled, check_present
from engine.system.durable import sync_path

BUSY_TIMEOUT_MS = 5000
WAL_RETRY_S = 0.02
CHECKPOINT_PAGES = 4000  # 16 MiB: what many small commits touch again and again is copied once
UNSYNCED, SYNCED = "PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL"
"""Modes in which a power cut may undo a commit, and may not; the end of a process never does."""

T = TypeVar("T")


class DatabaseConnection(aiosqlite.Connection):
    """SQLite on aiosqlite's thread, which does one piece of work after the other, each whole."""

    def do(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Task[T]:
        """Begin a piece of work there; who waits for it and is cancelled does not end it.

        aiosqlite's own methods go to the thread for each statement, which for a transaction of a
        dozen takes longer than SQLite does; they all go through `_execute`.
        """
        done: Coroutine[Any, Any, T] = self._execute(self._whole, work)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        return asyncio.ensure_future(done)

    def _whole(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self._conn)


@asynccontextmanager
async def connect(
    path: Path, *, migrate: bool = True, is_new: bool = False
) -> AsyncGenerator[DatabaseConnection]:
    """Open one connection, in WAL mode, closed at the end; raises `UserError`.

    With `is_new`, a database may be made beside the folders of runs.
    """
    async with AsyncExitStack() as stack:
        with translated(path):
            try:
                if migrate:
                    if not is_new:
                        check_present(path)
                    path.touch(mode=0o600)
            except OSError as error:
                raise refused(path, error) from error
            # A file that cannot be opened is noticed here: aiosqlite would leave a thread behind
            # that complains on stderr once the loop is closed.
            sqlite3.connect(path).close()
            connection = DatabaseConnection(partial(sqlite3.connect, path, isolation_level=None), 1)
            await stack.enter_async_context(connection)
            await connection.do(partial(_prepare, path, migrate, is_new=is_new))
        yield connection


def _prepare(path: Path, migrate: bool, db: sqlite3.Connection, *, is_new: bool) -> None:
    db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute(UNSYNCED)
    db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    if migrate:
        # Only where there is nothing yet: it writes. `shrinking` sees to older databases.
        if not path.stat().st_size:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if _version(db) <= len(MIGRATIONS):
            _use_wal(db)
        typed.register(db)
        _migrate(db)
        if not is_new:
            check_filled(path, db)
        identity.settle(path, db, is_new=is_new)


def _use_wal(db: sqlite3.Connection) -> None:
    """Turn WAL on, once for the file; SQLite does not wait by itself where others do the same."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(WAL_RETRY_S)


def _check_newer(db: sqlite3.Connection) -> None:
    from engine.store import schema  # late: most databases are of this version

    if not schema.holds_ours(db):
        raise user_error("DATABASE_NEWER")


def _migrate(db: sqlite3.Connection) -> None:
    version = _version(db)
    if version > len(MIGRATIONS):
        _check_newer(db)
    while version < len(MIGRATIONS):
        db.execute("BEGIN IMMEDIATE")
        version = _version(db)  # another process may have been quicker
        if version < len(MIGRATIONS):
            for statement in MIGRATIONS[version]:
                db.execute(statement)
            version += 1
            db.execute(f"PRAGMA user_version = {version}")
        db.execute("COMMIT")


def _version(db: sqlite3.Connection) -> int:
    return db.execute("PRAGMA user_version").fetchone()[0]


def set_aside(path: Path) -> Path | None:
    """Move a damaged database, with all that belongs to it, aside; nothing is deleted.

    Returns the new path of the database; None where there is none.
    """
    parts = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]
    there = [part for part in parts if part.exists()]
    stem = f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    aside, number = path.with_name(stem), 1
    while any(path.parent.glob(f"{aside.name}*")):
        number += 1
        aside = path.with_name(f"{stem}-{number}")
    for part in there:
        part.rename(aside.with_name(aside.name + part.name.removeprefix(path.name)))
    sync_path(path.parent)
    return aside if there else None
