"""Usage of threads that were started elsewhere, and the place up to which their files were read.

Each batch of results is one transaction. It counts only with the version of a thread that it was
read with: two readers at once never count a request twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from engine.domain.session_usage import ReadBatch, ReadThread
from engine.domain.usage import SessionProgress
from engine.system.decoding import json_decoder

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
PROGRESS = "other sessions"
"""The setting that holds the progress of reading."""
_ADD = """INSERT INTO session_slots
    (thread, slot, model, account, project, input, cached, output, reasoning, requests)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (thread, slot, model, account) DO UPDATE SET input = input + excluded.input,
    cached = cached + excluded.cached, output = output + excluded.output,
    reasoning = reasoning + excluded.reasoning, requests = requests + excluded.requests"""
_IS_OF_RUN = """WITH RECURSIVE above (thread) AS (VALUES (?), (?) UNION
    SELECT root FROM session_threads JOIN above USING (thread) WHERE root <> '')
    SELECT 1 FROM run_threads WHERE thread IN above LIMIT 1"""
_SAMPLE = """INSERT OR IGNORE INTO limit_samples
    (account, name, at, used_percent, window_minutes, resets_at) VALUES (?, ?, ?, ?, ?, ?)"""
_PROGRESS = "SELECT value FROM settings WHERE name = ?"
_encode = msgspec.json.Encoder().encode
_decode = json_decoder(SessionProgress)


class Write(Protocol):
    """A function that runs its work as one transaction; a flood may be lost by a power cut."""

    def __call__(  # noqa: D102  documented by its class
        self, work: Callable[[sqlite3.Connection], None], /, *, is_flood: bool = False
    ) -> Awaitable[None]: ...


class SessionLedger:
    """The usage of other sessions in the database of a home."""

    def __init__(self, read: Read, write: Write) -> None:
        self._read = read
        self._write = write

    async def add(self, batch: ReadBatch) -> None:
        """Store a batch of results: it can be read again, so it need not survive a power cut."""
        await self._write(lambda db: add_batch(db, batch), is_flood=True)

    async def progress(self) -> SessionProgress:
        """Return the progress of reading, of whichever process reads."""
        rows = await self._read(_PROGRESS, (PROGRESS,))
        return _progress(rows[0][0] if rows else None)

    async def note_failure(self, reason: str) -> None:
        """Store why a pass ended early."""

        def note(db: sqlite3.Connection) -> None:
            row = db.execute(_PROGRESS, (PROGRESS,)).fetchone()
            _keep_progress(db, replace(_progress(row[0] if row else None), failure=reason))

        await self._write(note, is_flood=True)


def add_batch(db: sqlite3.Connection, batch: ReadBatch) -> None:
    """Add a batch of results, in the present transaction."""
    stale = {thread.thread for thread in batch.threads if not _add_thread(db, thread)}
    db.executemany(
        "INSERT OR REPLACE INTO session_files"
        " (folder, name, size, mtime_ns, offset, checked, thread, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (it.folder, it.name, it.size, it.mtime_ns, it.offset, it.check, it.thread, it.state)
            for it in batch.files
            if it.thread not in stale  # another process was quicker: it is read again
        ],
    )
    db.executemany("DELETE FROM session_files WHERE folder = ? AND name = ?", batch.gone)
    db.executemany(
        "INSERT OR REPLACE INTO session_folders VALUES (?, ?, ?)",
        [(it.folder, it.mtime_ns, it.newest) for it in batch.folders],
    )
    db.executemany(_SAMPLE, _samples(db, batch))
    _keep_progress(db, batch.progress)


def _keep_progress(db: sqlite3.Connection, progress: SessionProgress) -> None:
    text = _encode(progress).decode()
    db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (PROGRESS, text))


def _progress(text: str | None) -> SessionProgress:
    try:
        return _decode(text) if text else SessionProgress()
    except (msgspec.MsgspecError, RecursionError):  # of a newer version
        return SessionProgress()


def _add_thread(db: sqlite3.Connection, read: ReadThread) -> bool:
    """Add the usage of a thread; False where it was changed since it was read."""
    query = "SELECT revision FROM session_threads WHERE thread = ?"
    row = db.execute(query, (read.thread,)).fetchone()
    if (row[0] if row else 0) != read.revision:
        return False
    is_of_run = _is_of_run(db, read.thread, read.root)
    db.execute(
        "INSERT OR REPLACE INTO session_threads (thread, root, project, revision, keys)"
        " VALUES (?, ?, ?, ?, ?)",
        (read.thread, read.root, read.project, read.revision + 1, b"" if is_of_run else read.keys),
    )
    if not is_of_run:
        place = (read.account, read.project)
        db.executemany(_ADD, [(read.thread, *it[:2], *place, *it[2:]) for it in read.slots])
    return True


def _samples(db: sqlite3.Connection, batch: ReadBatch) -> list[tuple[Any, ...]]:
    """Return the samples of threads that are not a run's: it may be of another account."""
    return [
        (it.account, one.name, it.at, one.used_percent, one.window_minutes, one.resets_at)
        for it in batch.limits
        if not _is_of_run(db, it.thread, it.root)
        for one in it.windows
    ]


def _is_of_run(db: sqlite3.Connection, thread: str, root: str) -> bool:
    return db.execute(_IS_OF_RUN, (thread, root)).fetchone() is not None
