"""Runs and their events in SQLite: the only SQL.

One connection writes, one transaction at a time; another reads. Many processes may have the same
database open: a change is decided on what the database holds at that moment, never on memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiosqlite

from engine.domain.batch import Planned, Swarm
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Event, StatusChanged
from engine.domain.messages import Message, Wish
from engine.domain.model import Ask, Run, RunSpec, Status
from engine.domain.pattern import Pattern
from engine.domain.record import record
from engine.domain.stamp import stamp
from engine.store import batches, codec, patterns, search, shrinking
from engine.store.connect import connect, set_aside, translated
from engine.store.deliveries import Deliveries
from engine.store.ids import new_id
from engine.store.outbox import Outbox
from engine.store.reading import Reading

INSERT_ROWS = 500  # rows a statement: larger ones gain nothing, SQLite allows 32,766 parameters
USED = "disk_used"
"""The setting that holds what the home took when it was measured last, in bytes."""


class LostOwnership(Exception):
    """Somebody else went on with this attempt: its cursor is not where we left it."""


@record
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


class Store(Reading):
    """The one door to the database; made by `open_store`."""

    def __init__(
        self, writer: aiosqlite.Connection, reader: aiosqlite.Connection, outbox: Outbox
    ) -> None:
        super().__init__(reader)
        self.outbox = outbox
        self.deliveries = Deliveries(self._read, self._transaction)
        self._writer = writer
        self._lock = asyncio.Lock()
        self._known: dict[str, tuple[int, Run]] = {}
        self._clock = time.time

    async def create(self, spec: RunSpec, first: Sequence[Body]) -> Committed:
        """Add a queued run with `first` as further first events."""
        async with self._transaction() as db:
            run = await self._add(db, spec, await self._newest(db))
            return await self._append(db, [_queued(run, first)])

    async def create_batch(self, swarm: Swarm, planned: Sequence[Planned]) -> Committed:
        """Add a batch with all its runs, or nothing; its id is its name, made unique."""
        async with self._transaction() as db:
            named = replace(swarm, id=await batches.free_id(db, swarm.name))
            await batches.add(db, named, self._clock())
            made: list[str] = []
            newest = await self._newest(db)
            for each in planned:
                newest = await self._add(db, each.as_spec(named.id, made), newest)
                made.append(newest)
            return await self._append(db, [_queued(run) for run in made])

    async def _newest(self, db: aiosqlite.Connection) -> str | None:
        row = await (await db.execute("SELECT max(id) FROM runs")).fetchone()
        return row[0] if row else None

    async def _add(self, db: aiosqlite.Connection, spec: RunSpec, newest: str | None) -> str:
        text = codec.spec_text(spec)
        spec = codec.spec_from(text)
        now = self._clock()
        run = Run(new_id(now, newest), spec, now)
        await db.execute(
            "INSERT INTO runs (id, project, batch, status, last_seq, spec, state)"
            " VALUES (?, ?, ?, ?, 0, ?, ?)",
            (run.id, spec.project, spec.batch, run.status, text, codec.state_text(run)),
        )
        return run.id

    async def set_budget(self, batch: str, tokens: int | None) -> None:
        """Let the runs of a batch use so many tokens together; None: as many as they need."""
        async with self._transaction() as db:
            await batches.set_budget(db, batch, tokens)

    async def append(self, entries: Sequence[Entry]) -> Committed:
        """Append to any number of runs, all or nothing; raises what `decide` raises."""
        async with self._transaction() as db:
            return await self._append(db, entries)

    async def change_setting(
        self,
        name: str,
        decide: Callable[[str | None], str | None],
        tells: Callable[[str | None, str | None], Message | None] | None = None,
    ) -> None:
        """Change a setting that all processes of this home share; None: there is none.

        `tells` gives the message that the change from one to the other gives rise to, if any.
        """
        async with self._transaction() as db:
            query = "SELECT value FROM settings WHERE name = ?"
            row = await (await db.execute(query, (name,))).fetchone()
            before = row[0] if row else None
            value = decide(before)
            await db.execute("DELETE FROM settings WHERE name = ?", (name,))
            if value is not None:
                await db.execute("INSERT INTO settings VALUES (?, ?)", (name, value))
            if tells and (message := tells(before, value)):
                await self.outbox.write(db, message)

    async def keep_pattern(
        self, id: str, pattern: Pattern, *, run: str | None = None, is_edited: bool = False
    ) -> None:
        """Keep what worked, in a `run` if given; what the user wrote no run overwrites."""
        async with self._transaction() as db:
            at = self._clock()
            await patterns.keep(db, id, pattern, at, run=run, is_edited=is_edited)

    async def remove_pattern(self, id: str, *, bring_back: bool = False) -> None:
        """Remove a pattern, or bring it back."""
        async with self._transaction() as db:
            await patterns.remove(db, id, None if bring_back else self._clock())

    async def index(self) -> None:
        """Move the index of the history forward by a slice."""
        async with self._transaction() as db:
            await search.index_slice(db)

    async def drop_events(self, before: float, kept: int = shrinking.KEPT) -> dict[str, int]:
        """Drop all but the last `kept` events of runs that ended before a time (since 1970).

        Gives how many, by run; the runs themselves stay as they are.
        """
        return await shrinking.drop_events(self._transaction, before, kept)

    async def give_back(self, free_bytes: int, is_idle: Callable[[], bool]) -> None:
        """Give the room of what was dropped back to the disk, which has so much left."""
        more = True
        while more:
            async with self._lock:
                with translated():
                    more = await shrinking.give_back(self._writer, free_bytes, idle=is_idle())

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
        moves: list[tuple[int, int, str, str | None]] = []
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
                moves.append((key, run.attempt, entry.cursor, entry.cursor_before))
        if moves:
            await self._move_cursors(db, moves)
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
            if self.outbox.is_used:
                await self.outbox.tell(db, done.events, done.runs)
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

    async def _move_cursors(
        self, db: aiosqlite.Connection, moves: Sequence[tuple[int, int, str, str | None]]
    ) -> None:
        """Move attempts on in their spool files: each from where it is, or none of them."""
        moved = await db.executemany(
            "INSERT INTO attempts (run, n, cursor) VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
            " SET cursor = excluded.cursor WHERE attempts.cursor IS ?",
            moves,
        )
        if moved.rowcount < len(moves):
            raise LostOwnership(await self._not_at(db, moves))

    async def _not_at(
        self, db: aiosqlite.Connection, moves: Sequence[tuple[int, int, str, str | None]]
    ) -> str:
        """Give the run of the first attempt that is not where these moves lead."""
        for (key, attempt), cursor in {move[:2]: move[2] for move in moves}.items():
            query = "SELECT id FROM attempts JOIN runs ON key = run"
            query += " WHERE run = ? AND n = ? AND cursor IS NOT ?"
            for (run,) in await db.execute_fetchall(query, (key, attempt, cursor)):
                return run
        return ""


def _queued(run: str, first: Sequence[Body] = ()) -> Entry:
    return Entry(run, (StatusChanged(Status.QUEUED), *first))


@asynccontextmanager
async def open_store(path: Path, wishes: Sequence[Wish] = ()) -> AsyncGenerator[Store]:
    """Open the database at `path`, made or migrated where needed; raises `UserError`.

    `wishes` say who is to be told of what is written.
    """
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
        store = Store(writer, reader, Outbox(wishes))
        store.log = path.with_name(f"{path.name}-wal")
        yield store
