"""Patterns: what worked, with the runs it came from and those that used it."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from engine.domain.events import Step
from engine.domain.model import Status
from engine.domain.pattern import Pattern, StoredPattern, SuccessRate
from engine.store import newer
from engine.system.decoding import json_decoder

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
MOST_STEPS = 2_000
MOST_RUNS = 2_000
"""Latest runs that show the success of tasks without a pattern."""
SHOWN_RUNS = 50

_encode = msgspec.json.Encoder().encode
_ENDED = f"('{Status.SUCCEEDED}', '{Status.FAILED}')"


def keep(
    db: sqlite3.Connection,
    id: str,
    pattern: Pattern,
    at: float,
    *,
    run: str | None = None,
    is_edited: bool = False,
) -> None:
    """Keep a pattern, in the place of what was there; what the user wrote no run overwrites."""
    db.execute(
        "INSERT INTO patterns (id, changed_at, is_edited, data) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (id) DO UPDATE SET removed_at = NULL, changed_at = ?2,"
        " data = CASE WHEN is_edited > ?3 AND removed_at IS NULL THEN data ELSE ?4 END,"
        " is_edited = CASE WHEN removed_at IS NULL THEN max(is_edited, ?3) ELSE ?3 END",
        (id, at, is_edited, _encode(pattern).decode()),
    )
    if run is not None:
        db.execute(
            "INSERT OR IGNORE INTO pattern_runs SELECT key, ? FROM patterns WHERE id = ?", (run, id)
        )
    _index(db, id)


def remove(db: sqlite3.Connection, id: str, at: float | None) -> None:
    """Remove a pattern, or with None bring it back."""
    db.execute("UPDATE patterns SET removed_at = ? WHERE id = ?", (at, id))
    _index(db, id)


def _index(db: sqlite3.Connection, id: str) -> None:
    query = "SELECT key, data, removed_at FROM patterns WHERE id = ?"
    for key, data, removed_at in db.execute(query, (id,)).fetchall():
        db.execute("DELETE FROM search_patterns WHERE rowid = ?", (key,))
        if removed_at is None:
            pattern = newer.read(Pattern, data)
            said = pattern.said() if pattern else ""
            db.execute("INSERT INTO search_patterns (rowid, said) VALUES (?, ?)", (key, said))


async def known(read: Read, ids: Sequence[str] = ()) -> list[StoredPattern]:
    """Return the patterns that are kept, those that changed last first; named ones, or all."""
    where = f" AND id IN ({','.join('?' * len(ids))})" if ids else ""
    rows = await read(
        "SELECT id, data, changed_at, is_edited, (SELECT json_group_array(run) FROM"
        f" (SELECT run FROM pattern_runs WHERE pattern = key ORDER BY run DESC LIMIT {SHOWN_RUNS}))"
        f" FROM patterns WHERE removed_at IS NULL{where} ORDER BY changed_at DESC, key DESC",
        ids,
    )
    return [
        StoredPattern(id, pattern, at, bool(edited), tuple(msgspec.json.decode(runs)))
        for id, data, at, edited, runs in rows
        if (pattern := newer.read(Pattern, data)) is not None
    ]


async def used(read: Read) -> dict[str, tuple[tuple[str, ...], SuccessRate]]:
    """Return the runs that used each pattern, the newest first, and their success."""
    rows = await read(
        "SELECT json_extract(spec, '$.learn_from'), json_group_array(id),"
        f" sum(status IN {_ENDED}), sum(status = '{Status.SUCCEEDED}') FROM"
        " (SELECT spec, id, status FROM runs WHERE json_extract(spec, '$.learn_from') IS NOT NULL"
        " ORDER BY id DESC) GROUP BY 1",
        (),
    )
    return {
        id: (tuple(msgspec.json.decode(runs))[:SHOWN_RUNS], SuccessRate(ended, succeeded))
        for id, runs, ended, succeeded in rows
    }


class PatternReader:
    """Reader of what only the service of patterns asks for."""

    def __init__(self, read: Read) -> None:
        self._read = read

    async def plain_runs(self) -> list[tuple[str, str, str | None, bool]]:
        """Return the latest ended runs without a pattern: id, prompt, template, success."""
        rows = await self._read(
            "SELECT id, substr(json_extract(spec, '$.prompt'), 1, 8000),"
            f" json_extract(spec, '$.template'), status = '{Status.SUCCEEDED}' FROM runs"
            f" WHERE status IN {_ENDED} AND json_extract(spec, '$.learn_from') IS NULL"
            f" ORDER BY key DESC LIMIT {MOST_RUNS}",
            (),
        )
        return [(id, prompt, template, bool(good)) for id, prompt, template, good in rows]

    async def of_run(self, run: str) -> str | None:
        """Return the pattern that a run became part of."""
        rows = await self._read(
            "SELECT id FROM patterns JOIN pattern_runs ON pattern = key"
            " WHERE run = ? AND removed_at IS NULL ORDER BY changed_at DESC LIMIT 1",
            (run,),
        )
        return rows[0][0] if rows else None

    async def last_removed(self) -> str | None:
        """Return the pattern that was removed last."""
        rows = await self._read(
            "SELECT id FROM patterns WHERE removed_at IS NOT NULL ORDER BY removed_at DESC LIMIT 1",
            (),
        )
        return rows[0][0] if rows else None

    async def near(self, words: Sequence[str], limit: int) -> list[str]:
        """Return the patterns that share most with these words, the nearest first."""
        match = " OR ".join(f'"{word}"' for word in words)
        rows = await self._read(
            "SELECT p.id FROM search_patterns s JOIN patterns p ON p.key = s.rowid"
            " WHERE search_patterns MATCH ? ORDER BY rank LIMIT ?",
            (match, limit),
        )
        return [row[0] for row in rows]


async def steps(read: Read, run: str) -> list[Step]:
    """Return the last steps of a run that have ended, without their outputs."""
    rows = await read(
        "SELECT json_remove(data, '$.output') FROM events"
        " WHERE run = (SELECT key FROM runs WHERE id = ?) AND type = 'step'"
        f" AND json_extract(data, '$.phase') <> 'started' ORDER BY seq DESC LIMIT {MOST_STEPS}",
        (run,),
    )
    decode = json_decoder(Step)
    return [decode(row[0]) for row in reversed(rows)]
