"""Runs and their events in SQLite: the only SQL.

One connection writes, one transaction at a time; another reads. Many processes may have the same
database open: a change is decided on what the database holds at that moment, never on memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosqlite

from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Event, StatusChanged
from engine.domain.kinds import USUAL, Kind
from engine.domain.model import Achieved, Ask, Run, RunSpec, Status
from engine.domain.stamp import stamp
from engine.store import codec
from engine.store.achieved import ACHIEVED, achieved
from engine.store.connect import connect, set_aside, translated
from engine.store.history import History
from engine.store.ids import new_id

INSERT_ROWS = 200  # rows a statement: larger ones gain nothing, SQLite allows 32,766 parameters
_EVENT = "e.id, r.id, e.seq, e.at, e.attempt, e.type, e.data"


_COUNTS = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM events)"


class LostOwnership(Exception):
    """Somebody else went on with this attempt: its cursor is not where we left it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What to append to one run: bodies, or what `decide` makes of the run as it is stored.

    `ask` says what the attempt that these bodies begin is to do. With `cursor`, the attempt's place
    in its spool file moves in the same transaction: from `cursor_before` (None: there was none) to
    `cursor`.
    """

    run: str
    bodies: Sequence[Body] = ()
    decide: Callable[[Run], Sequence[Body]] | None = None
    ask: Ask | None = None
    cursor: str | None = None
    cursor_before: str | None = None


@dataclass(slots=True)
class Committed:
    """What a transaction added: events in order, their last id, and the runs after them."""

    events: list[Event] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    first_id: int = 0
    last_id: int = 0


class Store:
    """The one door to the database; made by `open_store`."""

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._writer = writer
        self._reader = reader
        self._lock = asyncio.Lock()
        self._known: dict[str, tuple[int, Run]] = {}
        self._clock = time.time

    # Writing

    async def create(self, spec: RunSpec, first: Sequence[Body]) -> Committed:
        """Add a queued run with `first` as further first events."""
        text = codec.spec_text(spec)
        spec = codec.spec_from(text)
        async with self._transaction() as db:
            row = await (await db.execute("SELECT max(id) FROM runs")).fetchone()
            now = self._clock()
            run = Run(new_id(now, row[0] if row else None), spec, now)
            await db.execute(
                "INSERT INTO runs (id, project, batch, status, last_seq, spec, state)"
                " VALUES (?, ?, ?, ?, 0, ?, ?)",
                (
                    run.id,
                    spec.project,
                    spec.batch,
                    run.status,
                    text,
                    codec.state_text(run),
                ),
            )
            entry = Entry(run.id, (StatusChanged(Status.QUEUED), *first))
            return await self._append(db, [entry])

    async def append(self, entries: Sequence[Entry]) -> Committed:
        """Append to any number of runs, all or nothing; raises what `decide` raises."""
        async with self._transaction() as db:
            return await self._append(db, entries)

    async def change_setting(self, name: str, decide: Callable[[str | None], str | None]) -> None:
        """Change a setting that all processes of this home share; None: there is none."""
        async with self._transaction() as db:
            query = "SELECT value FROM settings WHERE name = ?"
            row = await (await db.execute(query, (name,))).fetchone()
            value = decide(row[0] if row else None)
            await db.execute("DELETE FROM settings WHERE name = ?", (name,))
            if value is not None:
                await db.execute("INSERT INTO settings VALUES (?, ?)", (name, value))

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[aiosqlite.Connection]:
        async with self._lock:
            with translated():
                try:
                    await self._writer.execute("BEGIN IMMEDIATE")
                    yield self._writer
                    await self._writer.execute("COMMIT")
                except BaseException:
                    self._known.clear()
                    await asyncio.shield(self._writer.rollback())
                    raise

    async def _append(self, db: aiosqlite.Connection, entries: Sequence[Entry]) -> Committed:
        current = await self._current(db, {entry.run for entry in entries})
        done = Committed()
        rows: list[Any] = []
        for entry in entries:
            key, run = current[entry.run]
            bodies = entry.decide(run) if entry.decide else entry.bodies
            events, run = stamp(run, bodies, self._clock())
            current[entry.run] = (key, run)
            done.runs[run.id] = run
            done.events += events
            for event in events:
                body = event.body
                rows += (key, event.seq, event.at, event.attempt, body.type, codec.body_text(body))
            if entry.ask:
                await db.execute(
                    "INSERT OR REPLACE INTO attempts (run, n, ask) VALUES (?, ?, ?)",
                    (key, run.attempt, codec.ask_text(entry.ask)),
                )
            if entry.cursor is not None:
                await self._move_cursor(db, key, run.attempt, entry)
        if rows:
            done.last_id = await self._insert(db, rows)
            done.first_id = done.last_id - len(done.events) + 1
            await db.executemany(
                "UPDATE runs SET status = ?, last_seq = ?, state = ? WHERE key = ?",
                [
                    (run.status, run.seq, codec.state_text(run), current[run.id][0])
                    for run in done.runs.values()
                ],
            )
        self._known.update(current)
        return done

    async def _current(self, db: aiosqlite.Connection, ids: set[str]) -> dict[str, tuple[int, Run]]:
        """Give the runs as stored; those that nobody else changed come from memory."""
        marks = ",".join("?" * len(ids))
        rows = await db.execute_fetchall(
            f"SELECT id, key, last_seq FROM runs WHERE id IN ({marks})", tuple(ids)
        )
        current: dict[str, tuple[int, Run]] = {}
        for run_id, key, last_seq in rows:
            known = self._known.get(run_id)
            if known is None or known[1].seq != last_seq:
                query = "SELECT spec, state FROM runs WHERE key = ?"
                (spec_state,) = await db.execute_fetchall(query, (key,))
                known = (key, codec.run_from(*spec_state))
            current[run_id] = known
        for missing in ids - current.keys():
            raise user_error("RUN_NOT_FOUND", f"There is no run {missing}.")
        return current

    async def _insert(self, db: aiosqlite.Connection, rows: list[Any]) -> int:
        columns = 6
        last_id = 0
        for start in range(0, len(rows), INSERT_ROWS * columns):
            part = rows[start : start + INSERT_ROWS * columns]
            values = ",".join(["(?,?,?,?,?,?)"] * (len(part) // columns))
            cursor = await db.execute(
                f"INSERT INTO events (run, seq, at, attempt, type, data) VALUES {values}", part
            )
            last_id = cursor.lastrowid or 0
        return last_id

    async def _move_cursor(
        self, db: aiosqlite.Connection, key: int, attempt: int, entry: Entry
    ) -> None:
        moved = await db.execute(
            "INSERT INTO attempts (run, n, cursor) VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET cursor = excluded.cursor WHERE attempts.cursor IS ?",
            (key, attempt, entry.cursor, entry.cursor_before),
        )
        if not moved.rowcount:
            raise LostOwnership(entry.run)

    # Reading

    async def cursor(self, run: str, attempt: int) -> str | None:
        """Give the attempt's place in its spool file, as it was last stored."""
        query = "SELECT cursor FROM attempts JOIN runs ON key = run WHERE id = ? AND n = ?"
        rows = await self._read(query, (run, attempt))
        return rows[0][0] if rows else None

    async def cursors(self, run: str, before: int) -> list[str]:
        """Give the cursors of the attempts before attempt `before`, the latest first."""
        query = (
            "SELECT cursor FROM attempts JOIN runs ON key = run"
            " WHERE id = ? AND n < ? AND cursor IS NOT NULL ORDER BY n DESC"
        )
        return [row[0] for row in await self._read(query, (run, before))]

    async def achieved(self) -> dict[str, Achieved]:
        """Give what each template's runs have come to."""
        return achieved(await self._read(ACHIEVED, ()))

    async def ask(self, run: str, attempt: int) -> Ask | None:
        """Give what an attempt is to do; None: the run's prompt, from its start."""
        query = "SELECT ask FROM attempts JOIN runs ON key = run WHERE id = ? AND n = ?"
        rows = await self._read(query, (run, attempt))
        return codec.ask_from(rows[0][0]) if rows and rows[0][0] else None

    async def runs(
        self,
        *,
        ids: Iterable[str] = (),
        statuses: Iterable[str] = (),
        project: str | None = None,
        batch: str | None = None,
        limit: int = -1,
    ) -> list[Run]:
        """Give the runs that match, newest first; nothing given matches all."""
        wanted = {"id": list(ids), "status": list(statuses)}
        wanted |= {"project": [project] if project else [], "batch": [batch] if batch else []}
        clauses = [f"{name} IN ({','.join('?' * len(v))})" for name, v in wanted.items() if v]
        where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
        values = [value for group in wanted.values() for value in group]
        rows = await self._read(
            f"SELECT spec, state FROM runs {where} ORDER BY id DESC LIMIT ?", (*values, limit)
        )
        return [codec.run_from(spec, state) for spec, state in rows]

    async def ids_like(self, prefix: str, limit: int) -> list[str]:
        """Give the newest run ids that start with `prefix`."""
        query = "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?"
        return [row[0] for row in await self._read(query, (prefix, prefix + "~", limit))]

    async def events(
        self,
        run: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
        kinds: Sequence[str] = (),
    ) -> list[Event]:
        """Give a run's events in order: those after `after`, or the last ones before `before`.

        `kinds` are the types wanted; none named means all.
        """
        condition, value = ("seq > ?", after) if before is None else ("seq < ?", before)
        if kinds:
            condition += f" AND type IN ({','.join('?' * len(kinds))})"
        order = "ASC" if before is None else "DESC"
        rows = await self._read(
            f"SELECT {_EVENT} FROM events e JOIN runs r ON r.key = e.run"
            f" WHERE e.run = (SELECT key FROM runs WHERE id = ?) AND {condition}"
            f" ORDER BY seq {order} LIMIT ?",
            (run, value, *kinds, limit),
        )
        events = [codec.event_from(*row[1:]) for row in rows]
        return events if before is None else events[::-1]

    async def events_between(self, above: int, limit: int) -> tuple[list[Event], int]:
        """Give the next events of all runs above id `above`, and the last id among them."""
        rows = await self._read(
            f"SELECT {_EVENT} FROM events e JOIN runs r ON r.key = e.run"
            " WHERE e.id > ? ORDER BY e.id LIMIT ?",
            (above, limit),
        )
        return [codec.event_from(*row[1:]) for row in rows], rows[-1][0] if rows else above

    def history(self, run: str | None, kind: Kind = USUAL) -> History:
        """Give a way through the events of a run, or of all, that costs what is looked at."""
        return History(self._read, run, kind)

    async def last_id(self) -> int:
        """Give the id of the newest event of all."""
        rows = await self._read("SELECT coalesce(max(id), 0) FROM events")
        return rows[0][0]

    async def version(self) -> int:
        """Give a number that changes with every commit by anybody."""
        rows = await self._read("PRAGMA data_version")
        return rows[0][0]

    async def check(self) -> str:
        """Look for damage; raises `UserError` DATABASE_CORRUPT, else says how much there is."""
        rows = await self._read("PRAGMA quick_check(1)")
        if rows[0][0] != "ok":
            raise user_error("DATABASE_CORRUPT", f"The database is damaged: {rows[0][0]}.")
        runs, events = (await self._read(_COUNTS))[0]
        return f"{runs} runs, {events} events, no damage"

    async def settings(self) -> dict[str, str]:
        """Give the settings that all processes share."""
        return dict(await self._read("SELECT name, value FROM settings"))

    async def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with translated():
            return list(await self._reader.execute_fetchall(query, values))


@asynccontextmanager
async def open_store(path: Path) -> AsyncGenerator[Store]:
    """Open the database at `path`, made or migrated where needed; raises `UserError`."""
    async with AsyncExitStack() as stack:
        try:
            writer = await stack.enter_async_context(connect(path))
        except UserError as error:
            if error.code != "DATABASE_CORRUPT":
                raise
            aside = set_aside(path)
            recovery = f"It was set aside as {aside.name}; a new one is made at the next start."
            raise user_error("DATABASE_CORRUPT", error.message, recovery) from error
        reader = await stack.enter_async_context(connect(path, migrate=False))
        yield Store(writer, reader)
