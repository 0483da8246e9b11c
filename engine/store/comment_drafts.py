"""Texts of comments that were typed and not saved yet, in the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from engine.domain.comment_text import UnsavedComment
from engine.store import newer
from engine.store.shrinking import WriteTransaction

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
_OF_RUN = "SELECT data FROM comment_drafts WHERE run = ? ORDER BY changed_at, place"
_KEEP = """INSERT INTO comment_drafts (run, place, data, changed_at)
    SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM runs WHERE id = ?1)
    ON CONFLICT (run, place) DO UPDATE SET data = excluded.data"""
_encode = msgspec.json.Encoder().encode


class StoredCommentDrafts:
    """The unsaved texts of a home, by run; the oldest comes first."""

    def __init__(self, read: Read, write: WriteTransaction, clock: Callable[[], float]) -> None:
        self._read = read
        self._write = write
        self._clock = clock

    async def of(self, run: str) -> list[UnsavedComment]:
        """Return the texts for a run, by its id."""
        rows = await self._read(_OF_RUN, (run,))
        found = (newer.read(UnsavedComment, row[0]) for row in rows)
        return [one for one in found if one is not None]

    async def keep(self, run: str, text: UnsavedComment) -> None:
        """Keep a text in place of the one before; a run that was forgotten keeps none."""
        row = (run, text.place, _encode(text).decode(), self._clock())
        await self._write(lambda db: db.execute(_KEEP, row))

    async def remove(self, run: str, place: str) -> None:
        """Remove a text, if it is there."""
        statement = "DELETE FROM comment_drafts WHERE run = ? AND place = ?"
        await self._write(lambda db: db.execute(statement, (run, place)))


def forget(db: sqlite3.Connection, run: str) -> None:
    """Remove all texts for a run."""
    db.execute("DELETE FROM comment_drafts WHERE run = ?", (run,))
