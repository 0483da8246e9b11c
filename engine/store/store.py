"""Runs and their events in SQLite: the only SQL.

One connection writes, one transaction at a time, each a function done whole on its thread; another
reads. Many processes may have the same database open.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine import store as modules
from engine.domain.batch import Batch, PlannedRun
from engine.domain.budget import Budget
from engine.domain.cost import RunCost, no_cost
from engine.domain.errors import user_error
from engine.domain.events import Body, Event, StatusChanged
from engine.domain.lifecycle import FINISHED
from engine.domain.model import AttemptRequest, Run, RunSpec, Status
from engine.store import batches, codec, identity, usage_ledger
from engine.store.appending import Appender, AppendRequest, Committed, insert_run, note_folder
from engine.store.connect import SYNCED, UNSYNCED, DatabaseConnection, connect
from engine.store.database_errors import translated
from engine.store.ids import new_id
from engine.store.outbox import Outbox
from engine.store.presence import NEWEST, DatabaseLocation
from engine.store.probe import DatabaseProbe
from engine.store.reading import StoreReader
from engine.system.reserve import OpeningReserve, Reserve

if TYPE_CHECKING:
    from engine.domain.children import ChildLimits
    from engine.domain.messages import Message, Subscription
    from engine.domain.pattern import Pattern
    from engine.domain.rule_answers import RulesOf
    from engine.domain.start_key import StartKey
    from engine.store.api_tokens import StoredApiTokens
    from engine.store.comment_drafts import StoredCommentDrafts
    from engine.store.deliveries import Deliveries
    from engine.store.forgetting import Check
    from engine.store.rules import StoredRules
    from engine.store.session_ledger import SessionLedger

KEPT = 200
"""The last events of a run, which always stay."""
USED = "disk_used"
"""The setting that holds what the home took when it was measured last, in bytes."""

_VERSION = "PRAGMA data_version"

T = TypeVar("T")


Keep = Callable[[str, RunSpec], RunSpec]
"""Function that keeps files of a run, by its id, and returns its spec as it is stored."""


def _deliveries(store: Store) -> Deliveries:
    read, write = store._read, store._write  # pyright: ignore[reportPrivateUsage]  a part of the class
    return modules.deliveries.Deliveries(read, write)


def _sessions(store: Store) -> SessionLedger:
    from engine.store.session_ledger import SessionLedger

    return SessionLedger(store._read, store._write)  # pyright: ignore[reportPrivateUsage]  a part of the class


def _comment_drafts(store: Store) -> StoredCommentDrafts:
    from engine.store.comment_drafts import StoredCommentDrafts

    read, write = store._read, store._write  # pyright: ignore[reportPrivateUsage]  a part of the class
    # Unsynced, as a flood is: such a text is written again with the next keys.
    return StoredCommentDrafts(read, partial(write, is_flood=True), lambda: store._clock())  # pyright: ignore[reportPrivateUsage]  a part of the class


class Store(StoreReader):
    """The one door to the database; made by `open_store`."""

    deliveries = cached_property(_deliveries)
    sessions = cached_property(_sessions)
    comment_drafts = cached_property(_comment_drafts)

    def __init__(
        self, writer: DatabaseConnection, reader: DatabaseConnection, outbox: Outbox
    ) -> None:
        super().__init__(reader)
        self.outbox = outbox
        self._writer = writer
        self._appender = Appender()
        self._clock = time.time
        self.child_limits: Callable[[], ChildLimits] | None = None
        """Returns the limits of runs that runs start, by the settings as they are now."""
        self.reserve: Reserve | None = None
        self.rules_of: RulesOf | None = None
        """The rules of files, where this process supervises: then rules answer what is raised."""
        self.probe: DatabaseProbe | None = None

    @cached_property
    def rules(self) -> StoredRules:
        """The approval rules; imported at first use, for a list of runs needs none."""
        from engine.store.rules import StoredRules

        return StoredRules(self._read, self._write, lambda: self._clock())

    @cached_property
    def api_tokens(self) -> StoredApiTokens:
        """The tokens of clients of the API; imported at first use."""
        from engine.store.api_tokens import StoredApiTokens

        return StoredApiTokens(self._read, self._write, partial(self._write, is_flood=True))

    async def create(
        self,
        spec: RunSpec,
        first: Sequence[Body],
        keep: Keep | None = None,
        key: StartKey | None = None,
    ) -> Committed:
        """Add a queued run with `first` as further first events.

        `keep` is called with its id before it can be seen, and returns the spec to store. Raises
        `UserError` where the parent may not start it, or a request with this key has started one.
        """

        def add(db: sqlite3.Connection) -> Committed:
            run = self._add(db, spec, _newest(db), keep)
            _claim(db, key, run, self._clock())
            return self._append(db, [_queued(run, first)])

        return await self._write(add)

    async def create_batch(
        self,
        swarm: Batch,
        planned: Sequence[PlannedRun],
        keep: Keep | None = None,
        key: StartKey | None = None,
    ) -> Committed:
        """Add a batch with all its runs as `create` does, or nothing; its name is made unique."""

        def add(db: sqlite3.Connection) -> Committed:
            named = replace(swarm, id=batches.free_id(db, swarm.name))
            batches.add(db, named, self._clock())
            _claim(db, key, named.id, self._clock())
            made: list[str] = []
            newest = _newest(db)
            for each in planned:
                newest = self._add(db, each.as_spec(named.id, made), newest, keep)
                made.append(newest)
            return self._append(db, [_queued(run) for run in made])

        return await self._write(add)

    def _add(
        self, db: sqlite3.Connection, spec: RunSpec, newest: str | None, keep: Keep | None = None
    ) -> str:
        now, placed = self._clock(), _placed(db, spec, self.child_limits)
        return _insert_queued(db, placed, new_id(now, newest), now, keep)

    async def put_back(
        self,
        run: Run,
        events: Sequence[Event],
        asks: Mapping[int, AttemptRequest],
        cursors: Mapping[int, str],
    ) -> None:
        """Add a run with all its events as they were rebuilt, and its batch if that is missing."""
        await self._write(lambda db: _put_back(db, run, events, asks, cursors))

    async def forget(
        self, runs: Sequence[str], check: Check, put_aside: Callable[[], None]
    ) -> None:
        """Remove all rows of runs, or none; raises what `check` raises.

        `put_aside` moves their files in the transaction; `settle_forgotten` moves them back.
        """

        def remove(db: sqlite3.Connection) -> None:
            modules.forgetting.forget(db, runs, self._clock(), check)
            self._appender.forget()
            put_aside()

        await self._write(remove)

    async def settle_forgotten(self, runs: Sequence[str], put_back: Callable[[str], None]) -> None:
        """Call `put_back` for those of the runs that are here: they were not forgotten."""
        await self._write(partial(modules.forgetting.settle, runs, put_back))

    async def set_budget(self, batch: str, budget: Budget | None) -> None:
        """Set the budget that the runs of a batch share; None: as much as they need."""
        await self._write(lambda db: batches.set_budget(db, batch, budget))

    def use_clock(self, clock: Callable[[], float] | None) -> None:
        """Take the time of events from this clock; None: from the wall clock."""
        self._clock = clock or time.time

    async def append(
        self, entries: Sequence[AppendRequest], settings: Mapping[str, str] | None = None
    ) -> Committed:
        """Append to any number of runs, all or nothing; raises what `decide` raises.

        `settings` are changed in the same transaction.
        """

        def add(db: sqlite3.Connection) -> Committed:
            for setting in (settings or {}).items():
                db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", setting)
            return self._append(db, entries)

        is_flood = not settings and not any(entry.is_reported for entry in entries)
        return await self._write(add, is_flood=is_flood)

    async def answer_by_rules(self, runs: Sequence[str], others: RulesOf) -> Committed:
        """Answer the open requests of runs that a rule decides, and count its uses.

        `others` returns the rules that are not in the database.
        """

        def add(db: sqlite3.Connection) -> Committed:
            from engine.store import rules

            answers = rules.answers(db, others, self._clock())
            done = self._append(db, [AppendRequest(run, decide=answers.decide) for run in runs])
            rules.note_uses(db, answers.used)
            return done

        return await self._write(add)

    def _append(self, db: sqlite3.Connection, entries: Sequence[AppendRequest]) -> Committed:
        done = self._appender.append(db, entries, self._clock())
        if self.rules_of:
            self._answer_raised(db, done)
        if any(run.status in FINISHED for run in done.runs.values()):
            from engine.store import rules

            rules.end_with(db, done.runs.values())
        if done.events and self.outbox.is_used:
            self.outbox.write_events(db, done.events, done.runs)
        return done

    def _answer_raised(self, db: sqlite3.Connection, done: Committed) -> None:
        """Answer by rule what this transaction raises: the user is never asked for it."""
        from engine.store import rules

        raised = rules.raised_in(done)
        if self.rules_of and raised:
            answers = rules.answers(db, self.rules_of, self._clock())
            entries = [AppendRequest(run, decide=answers.decide_or_leave) for run in raised]
            done.add(self._appender.append(db, entries, self._clock()))
            rules.note_uses(db, answers.used)

    async def change_setting(
        self,
        name: str,
        decide: Callable[[str | None], str | None],
        tells: Callable[[str | None, str | None], Message | None] | None = None,
    ) -> None:
        """Change a setting that all processes of this home share; None: there is none.

        `tells` returns the message about the change from one value to the other, if any.
        """

        def change(db: sqlite3.Connection) -> None:
            query = "SELECT value FROM settings WHERE name = ?"
            row = db.execute(query, (name,)).fetchone()
            before = row[0] if row else None
            value = decide(before)
            db.execute("DELETE FROM settings WHERE name = ?", (name,))
            if value is not None:
                db.execute("INSERT INTO settings VALUES (?, ?)", (name, value))
            if tells and (message := tells(before, value)):
                self.outbox.write(db, message)

        await self._write(change)

    async def keep_pattern(
        self, id: str, pattern: Pattern, *, run: str | None = None, is_edited: bool = False
    ) -> None:
        """Keep what worked, in a `run` if given; what the user wrote no run overwrites."""
        at = self._clock()
        await self._write(
            lambda db: modules.patterns.keep(db, id, pattern, at, run=run, is_edited=is_edited)
        )

    async def remove_pattern(self, id: str, *, bring_back: bool = False) -> None:
        """Remove a pattern, or bring it back."""
        at = None if bring_back else self._clock()
        await self._write(lambda db: modules.patterns.remove(db, id, at))

    async def index(self) -> None:
        """Move the index of the history forward by a slice."""
        await self._write(modules.search.index_slice, is_flood=True)

    async def drop_events(self, before: float, kept: int = KEPT) -> dict[str, int]:
        """Drop all but the last `kept` events of runs that ended before a time (since 1970).

        Returns the number by run; the runs themselves stay as they are.
        """
        return await modules.shrinking.drop_events(self._write, before, kept)

    async def drop_samples(self, before: float) -> None:
        """Drop the samples of the rate limits from before a time (since 1970)."""
        await self._write(lambda db: usage_ledger.drop_samples(db, before))

    async def settle_usage(self) -> None:
        """Add to the ledger what it lacks of the usage of runs."""
        await self._write(lambda db: db.execute(modules.usage_backfill.SETTLE))

    async def version(self) -> int:
        """Return a number that changes with every commit by anybody else."""
        if self.place:
            self.place.check()
        with translated():
            return await self._writer.do(lambda db: db.execute(_VERSION).fetchone()[0])

    async def check_damage(self) -> None:
        """Raise `UserError` where the database was damaged or overwritten while it is open."""
        if self.place and self.probe:
            self.place.check()
            self.place.damage = await asyncio.to_thread(self.probe.check)
            self.place.check()

    async def shrink(self, free_bytes: int, is_idle: Callable[[], bool]) -> None:
        """Release the space of dropped events to the disk, which has `free_bytes` left."""
        more = True
        while more:
            step = partial(modules.shrinking.shrink, free_bytes=free_bytes, idle=is_idle())
            with translated():
                more = await self._writer.do(step)

    async def _write(
        self, work: Callable[[sqlite3.Connection], T], /, *, is_flood: bool = False
    ) -> T:
        """Run a piece of work as one transaction, whole or not at all.

        It is on the disk when this returns, except for a flood, which can be read again from its
        source. A cancelled caller still waits for its end, and never continues on data about to
        change.
        """
        doing = self._writer.do(partial(self._transaction, work, is_flood))
        with translated():
            try:
                return await asyncio.shield(doing)
            except asyncio.CancelledError:
                await asyncio.wait([doing])
                doing.exception()  # no caller is left for it
                raise

    def _transaction(
        self, work: Callable[[sqlite3.Connection], T], is_flood: bool, db: sqlite3.Connection
    ) -> T:
        if self.place:
            self.place.check()
        if is_flood and self.reserve and self.reserve.is_spent:
            raise user_error("DISK_FULL")  # what is left is for the ends of runs
        try:
            return self._once(work, is_flood, db)
        except sqlite3.OperationalError:
            if is_flood or not (self.reserve and self.reserve.release_if_full()):
                raise
        return self._once(work, is_flood, db)

    def _once(
        self, work: Callable[[sqlite3.Connection], T], is_flood: bool, db: sqlite3.Connection
    ) -> T:
        try:
            db.execute(UNSYNCED if is_flood else SYNCED)
            db.execute("BEGIN IMMEDIATE")
            done = work(db)
            db.execute("COMMIT")
        except BaseException:
            self._appender.forget()
            db.rollback()
            raise
        return done


def _newest(db: sqlite3.Connection) -> str | None:
    return db.execute(NEWEST).fetchone()[0]


def _placed(
    db: sqlite3.Connection, spec: RunSpec, limits: Callable[[], ChildLimits] | None
) -> RunSpec:
    if spec.parent is None and not spec.ancestors:
        return spec
    from engine.store import families  # late: few runs have a parent

    return families.placed(db, spec, limits() if limits else None)


def _insert_queued(
    db: sqlite3.Connection, spec: RunSpec, run_id: str, now: float, keep: Keep | None
) -> str:
    """Insert a new run, and return its id."""
    text = codec.spec_text(keep(run_id, spec) if keep else spec)
    spec = codec.spec_from(text)
    run, top = Run(run_id, spec, now), next(iter(spec.ancestors), None)
    db.execute(
        "INSERT INTO runs (id, project, batch, top, status, last_seq, spec, state)"
        " VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
        (run.id, spec.project, spec.batch, top, run.status, text, codec.state_text(run)),
    )
    note_folder(db, spec)
    return run.id


def _put_back(
    db: sqlite3.Connection,
    run: Run,
    events: Sequence[Event],
    asks: Mapping[int, AttemptRequest],
    cursors: Mapping[int, str],
) -> None:
    if run.spec.batch and not db.execute(*batches.query([run.spec.batch])).fetchone():
        batches.add(db, Batch(run.spec.batch, run.spec.batch), run.created_at)
    insert_run(db, run, events, asks, cursors)


def _queued(run: str, first: Sequence[Body] = ()) -> AppendRequest:
    return AppendRequest(run, (StatusChanged(Status.QUEUED), *first))


@asynccontextmanager
async def open_store(
    path: Path,
    wishes: Sequence[Subscription] = (),
    *,
    is_new: bool = False,
    cost: RunCost = no_cost,
) -> AsyncGenerator[Store]:
    """Open the database at `path`, made or migrated where needed; raises `UserError`.

    `wishes` are the receivers' subscriptions; `cost` estimates that of runs in messages. Where it
    is missing beside the folders of runs, it is made only where `is_new`. A damaged one stays as
    it is: `recovery` sets it aside.
    """
    opening = OpeningReserve(path)
    async with AsyncExitStack() as stack:
        stack.callback(opening.keep)  # last: closing the database frees space
        reserve = Reserve(path)
        reserve.release_if_full()  # also reading needs some room: SQLite's index of its log
        opening.release_if_needed()
        writer = await stack.enter_async_context(connect(path, is_new=is_new))
        reader = await stack.enter_async_context(connect(path, migrate=False))
        store = Store(writer, reader, Outbox(wishes, cost))
        store.log = path.with_name(f"{path.name}-wal")
        store.place = DatabaseLocation(path)
        store.probe = DatabaseProbe(path, identity.noted(path))
        reserve.keep()
        store.reserve = reserve
        yield store


def _claim(db: sqlite3.Connection, key: StartKey | None, started: str, now: float) -> None:
    if key is not None:
        from engine.store import start_keys  # most requests have no key

        start_keys.claim(db, key, started, now)
