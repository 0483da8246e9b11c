"""The index of the text of all runs: kept apart from the events, and behind them.

Nothing is indexed where events are stored. An idle process moves the index forward, slice by slice,
and stores its place with the rows of a slice: after any crash it goes on from there. The text
itself is not kept twice: SQLite's index reads it from the events, by the view `said`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from engine.domain.model import Status
from engine.domain.search import OFF, ON, SearchHit, SearchWord, marked
from engine.store.history import ENDED

Read = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
CHUNK = 100
SLICE_S = 0.02
"""Time for which a slice keeps others from writing, about."""
WINDOW = 200_000
"""Ids that one question covers: few of the events found there may be of the runs wanted."""
WORDS = 24
"""Words shown of a place."""

_BEHIND = """SELECT max(0, coalesce((SELECT max(id) FROM events), 0) - e.upto),
    max(0, coalesce((SELECT max(key) FROM runs), 0) - r.upto)
    FROM search_places e, search_places r WHERE e.name = 'events' AND r.name = 'runs'"""
_INDEXES = (
    ("runs", "key", "search_prompts", "prompts"),
    ("events", "id", "search_events", "said"),
)
_SNIPPET = f"snippet({{}}, 0, '{ON}', '{OFF}', '…', {WORDS})"
_RUN = "r.id, json_extract(r.spec, '$.title'), r.project, r.status"


async def behind(read: Read) -> int:
    """Return the number of events and runs that are not in the index yet."""
    (row,) = await read(_BEHIND, ())
    return row[0] + row[1]


def index_slice(db: sqlite3.Connection) -> None:
    """Take a little more into the index, with the place it has come to."""
    began = time.monotonic()
    for name, key, index, view in _INDEXES:
        while True:
            (place,) = _values(db, f"SELECT upto FROM search_places WHERE name = '{name}'")
            (upto,) = _values(
                db,
                f"SELECT max({key}) FROM"
                f" (SELECT {key} FROM {name} WHERE {key} > ? ORDER BY {key} LIMIT {CHUNK})",
                (place,),
            )
            if upto is None:
                break
            db.execute(
                f"INSERT INTO {index} (rowid, said)"
                f" SELECT {key}, said FROM {view} WHERE {key} > ? AND {key} <= ?",
                (place, upto),
            )
            db.execute("UPDATE search_places SET upto = ? WHERE name = ?", (upto, name))
            if time.monotonic() - began > SLICE_S:
                return


def forget(db: sqlite3.Connection, which: str, values: Sequence[Any]) -> None:
    """Remove events from the index that are about to go or to change, selected by `which`."""
    _move(db, "search_events, rowid, said", "'delete', id, said", which, values)


def forget_prompt(db: sqlite3.Connection, key: int) -> None:
    """Remove the prompt of a run from the index, before the run is deleted."""
    db.execute(
        "INSERT INTO search_prompts (search_prompts, rowid, said) SELECT 'delete', key, said"
        " FROM prompts WHERE key = ? AND key <= (SELECT upto FROM search_places"
        " WHERE name = 'runs')",
        (key,),
    )


def step_back(db: sqlite3.Connection) -> None:
    """End the index of runs at the newest one that is there: its key may be used again."""
    db.execute(
        "UPDATE search_places SET upto = min(upto, (SELECT coalesce(max(key), 0) FROM runs))"
        " WHERE name = 'runs'"
    )


def learn(db: sqlite3.Connection, which: str, values: Sequence[Any]) -> None:
    """Put events that have changed into the index, if it has come as far."""
    _move(db, "rowid, said", "id, said", which, values)


def _move(db: sqlite3.Connection, into: str, taken: str, which: str, values: Sequence[Any]) -> None:
    db.execute(
        f"INSERT INTO search_events ({into}) SELECT {taken} FROM said"
        f" WHERE id IN (SELECT id FROM events WHERE {which})"
        " AND id <= (SELECT upto FROM search_places WHERE name = 'events')",
        values,
    )


def _values(db: sqlite3.Connection, query: str, values: Sequence[Any] = ()) -> Sequence[Any]:
    (row,) = db.execute(query, values)
    return row


async def search(
    read: Read,
    wanted: Iterable[SearchWord],
    *,
    project: str | None,
    statuses: Sequence[str],
    limit: int,
) -> list[SearchHit]:
    """Return the latest `limit` places where all of the words are, the newest first."""
    match, where, values = _match(wanted), "", []
    if project is not None:
        where, values = " AND r.project = ?", [project]
    if statuses:
        where += f" AND r.status IN ({','.join('?' * len(statuses))})"
        values += statuses
    ((upto,),) = await read("SELECT upto FROM search_places WHERE name = 'events'", ())
    found: list[SearchHit] = []
    while upto > 0 and len(found) < limit:
        between = [max(0, upto - WINDOW), upto, *values]
        found += await _events(read, match, where, between, limit - len(found))
        upto -= WINDOW
    found += await _prompts(read, match, where, values, limit)
    found.sort(key=lambda hit: (hit.at, hit.run, hit.seq), reverse=True)
    return found[:limit]


async def _prompts(
    read: Read, match: str, where: str, values: Sequence[Any], limit: int
) -> list[SearchHit]:
    rows = await read(
        f"SELECT {_RUN}, json_extract(r.state, '$.created_at'), {_SNIPPET.format('search_prompts')}"
        " FROM search_prompts s CROSS JOIN runs r ON r.key = s.rowid"
        f" WHERE search_prompts MATCH ?{where} ORDER BY s.rowid DESC LIMIT ?",
        (match, *values, limit),
    )
    return [
        SearchHit(run, title, project, Status.read(status), 1, at, "prompt", *marked(raw))
        for run, title, project, status, at, raw in rows
    ]


async def _events(
    read: Read, match: str, where: str, values: Sequence[Any], limit: int
) -> list[SearchHit]:
    rows = await read(
        f"SELECT {_RUN}, e.seq, e.at, e.type, json_extract(e.data, '$.role'),"
        f" json_extract(e.data, '$.kind'), {_SNIPPET.format('search_events')}"
        " FROM search_events s CROSS JOIN events e ON e.id = s.rowid"
        " CROSS JOIN runs r ON r.key = e.run"
        f" WHERE search_events MATCH ? AND s.rowid > ? AND s.rowid <= ?{where} AND {ENDED}"
        " ORDER BY s.rowid DESC LIMIT ?",
        (match, *values, limit),
    )
    return [
        SearchHit(
            run, title, project, Status.read(status), seq, at, _what(kind, role, sort), *marked(raw)
        )
        for run, title, project, status, seq, at, kind, role, sort, raw in rows
    ]


def _what(kind: str, role: str | None, sort: str | None) -> str:
    """Return the source of a text in a word: message, command, notice or error."""
    if kind != "step" or not sort:
        return kind
    return "reasoning" if role == "reasoning" else sort


def _match(wanted: Iterable[SearchWord]) -> str:
    """Write the words in FTS5's own language, each as a string: none of it is syntax."""
    quoted = ((word.text.replace('"', '""'), "*" if word.is_start else "") for word in wanted)
    return " AND ".join(f'"{text}"{star}' for text, star in quoted)
