"""Events appended to runs in a transaction: numbered, folded, stored with their spool offset.

A change is decided on the database at that moment, never on memory: a cached run counts only while
no other process has written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import Any, NamedTuple

from engine.domain.errors import user_error
from engine.domain.events import (
    Body,
    CheckpointTaken,
    ErrorRaised,
    Event,
    Notice,
    Progressed,
    StatusChanged,
)
from engine.domain.lifecycle import FINISHED
from engine.domain.model import AttemptRequest, Run, RunSpec, WorkspaceKind
from engine.domain.record import mutable_record, record
from engine.domain.stamp import stamp
from engine.store import codec, usage_ledger
from engine.store.database_errors import read_rows
from engine.store.newer import StoredValue
from engine.store.rebuilt import is_unreadable, rebuilt
from engine.store.shared_values import WORKED_IN

ROWS = (512, 128, 32, 8, 2, 1)
"""Rows of a statement: larger ones gain nothing, SQLite allows 32,766 parameters.

There are few sizes, so that SQLite knows each statement: to prepare one takes 2 µs a row, which is
more than to carry it out.
"""

_INSERT = "INSERT INTO events (run, seq, at, attempt, type, data) VALUES {rows}"
_STATES = (
    "UPDATE runs SET last_seq = column2, state = column3 FROM (VALUES {rows}) WHERE key = column1"
)
_LOST = (
    "SELECT id FROM (VALUES {rows}) JOIN runs ON key = column1"
    " LEFT JOIN attempts ON run = column1 AND n = column2 WHERE cursor IS NOT column3 LIMIT 1"
)
_MOVE = (
    "INSERT INTO attempts (run, n, cursor) SELECT column1, column2, column4"
    " FROM (VALUES {rows}) WHERE true"
    " ON CONFLICT (run, n) DO UPDATE SET cursor = excluded.cursor"
)

_REPORTED = (StatusChanged, CheckpointTaken, ErrorRaised, Progressed, Notice)


class LostOwnership(Exception):
    """Another process went on with this attempt: its cursor has moved."""


@record
class AppendRequest:
    """A request to append to one run: bodies, or what `decide` makes of the run as it is stored.

    `ask` is the request for the attempt that these bodies begin. With `cursor`, the attempt's
    place in its spool file moves in the same transaction: from `cursor_before` (None: there was
    none) to `cursor`.
    """

    run: str
    bodies: Sequence[Body] = ()
    decide: Callable[[Run], Sequence[Body]] | None = None
    ask: AttemptRequest | None = None
    cursor: str | None = None
    cursor_before: str | None = None

    @property
    def is_reported(self) -> bool:
        """Return whether it is reported as done: then a power cut must not undo it.

        Lines of a spool file can be read again; everything else is requested or decided
        once.
        """
        decided = any(isinstance(body, _REPORTED) for body in self.bodies)
        return bool(self.decide or self.ask) or (self.cursor_before is None and decided)


@mutable_record
class Committed:
    """The events that a transaction added, in order, their last id, and the runs after them."""

    events: list[Event] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    first_id: int = 0
    last_id: int = 0

    def add(self, later: Committed) -> None:
        """Take in what the same transaction added after this."""
        self.events += later.events
        self.runs |= later.runs
        self.last_id = later.last_id or self.last_id


class _Known(NamedTuple):
    """A run with its key, and its stored state where that holds what is unknown here."""

    key: int
    run: Run
    stored: StoredValue | None


class Appender:
    """Appender on one connection, with a cache of the runs it wrote; used on one thread."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._version = 0

    def forget(self) -> None:
        """Forget the runs: what was written last was taken back."""
        self._known.clear()

    def append(
        self, db: sqlite3.Connection, entries: Sequence[AppendRequest], at: float
    ) -> Committed:
        """Append to any number of runs; raises `LostOwnership`, and what `decide` raises."""
        current = self._current(db, {entry.run for entry in entries})
        before = dict(current)
        done = Committed()
        rows: list[Any] = []
        moves: list[Any] = []
        for entry in entries:
            key, run, stored = current[entry.run]
            bodies = entry.decide(run) if entry.decide else entry.bodies
            events, run = stamp(run, bodies, at)
            usage_ledger.keep(db, current[entry.run].run, run, events)
            if run.thread_id and run.thread_id != current[entry.run].run.thread_id:
                usage_ledger.claim(db, run.thread_id)
            current[entry.run] = _Known(key, run, stored)
            done.runs[run.id] = run
            done.events += events
            rows += _event_rows(key, events)
            if entry.ask:
                _ask(db, key, run.attempt, entry.ask)
            if entry.cursor is not None:
                moves += (key, run.attempt, entry.cursor_before, entry.cursor)
        _move_cursors(db, moves)
        if rows:
            done.last_id = _insert(db, rows)
            done.first_id = done.last_id - len(done.events) + 1
            changed = [current[run.id] for run in done.runs.values()]
            _keep_states(db, changed)
            _keep_statuses(
                db, (it for it in changed if it.run.status != before[it.run.id].run.status)
            )
        self._known.update(current)
        for run in done.runs.values():
            if run.status in FINISHED:  # little comes after its end, and what comes reads it again
                del self._known[run.id]
        return done

    def _current(self, db: sqlite3.Connection, ids: set[str]) -> dict[str, _Known]:
        """Return the runs as stored, with their keys and the parts of their states unknown here."""
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != self._version:  # another process has written
            self._known.clear()
            self._version = version
        unknown = tuple(ids - self._known.keys())
        if unknown:
            marks = ",".join("?" * len(unknown))
            query = f"SELECT key, id, spec, state FROM runs WHERE id IN ({marks})"
            for key, run_id, spec, state in read_rows(db, query, unknown):
                run = codec.run_from(spec, state, run_id)
                if is_unreadable(run):
                    run = rebuilt(db, key, run, spec)
                    run.usage = usage_ledger.total(db, run_id) or run.usage
                self._known[run_id] = _Known(key, run, codec.unknown_state(run, state))
        for missing in ids - self._known.keys():
            raise user_error("RUN_NOT_FOUND", f"There is no run {missing}.")
        return {run_id: self._known[run_id] for run_id in ids}


# One statement for many rows each: between two, others may take the interpreter for a moment.


def _executed(
    db: sqlite3.Connection, query: str, columns: int, values: list[Any]
) -> Iterator[sqlite3.Cursor]:
    """Execute a statement for many rows, in parts of the sizes there are, the largest first."""
    start = 0
    for size in ROWS:
        while start + size * columns <= len(values):
            part = values[start : start + size * columns]
            yield db.execute(_statement(query, columns, size), part)
            start += len(part)


@cache
def _statement(query: str, columns: int, size: int) -> str:
    row = f"({','.join('?' * columns)})"
    return query.format(rows=",".join([row] * size))


def _event_rows(key: int, events: Sequence[Event]) -> list[Any]:
    """Return the values of the rows of a run's events, one row after the other."""
    # Column by column: a row at a time takes half as long again.
    bodies = [it.body for it in events]
    rows: list[Any] = [key] * (6 * len(events))
    rows[1::6] = [it.seq for it in events]
    rows[2::6] = [it.at for it in events]
    rows[3::6] = [it.attempt for it in events]
    rows[4::6] = [body.type for body in bodies]
    rows[5::6] = codec.body_texts(bodies)
    return rows


def _insert(db: sqlite3.Connection, rows: list[Any]) -> int:
    last_id = 0
    for done in _executed(db, _INSERT, 6, rows):
        last_id = done.lastrowid or 0
    return last_id


def _keep_states(db: sqlite3.Connection, runs: Iterable[_Known]) -> None:
    values = [
        it for key, run, stored in runs for it in (key, run.seq, codec.state_text(run, stored))
    ]
    for _ in _executed(db, _STATES, 3, values):
        pass


def _keep_statuses(db: sqlite3.Connection, runs: Iterable[_Known]) -> None:
    values = [(run.status, key) for key, run, _ in runs]
    db.executemany("UPDATE runs SET status = ? WHERE key = ?", values)


def _ask(db: sqlite3.Connection, key: int, attempt: int, ask: AttemptRequest) -> None:
    insert = "INSERT OR REPLACE INTO attempts (run, n, ask) VALUES (?, ?, ?)"
    db.execute(insert, (key, attempt, codec.ask_text(ask)))


def _move_cursors(db: sqlite3.Connection, moves: list[Any]) -> None:
    """Move attempts on in their spool files: each from where it is, or none of them."""
    for found in _executed(db, _LOST, 4, moves):
        if lost := found.fetchone():
            raise LostOwnership(lost[0])
    for _ in _executed(db, _MOVE, 4, moves):
        pass


def insert_run(
    db: sqlite3.Connection,
    run: Run,
    events: Sequence[Event],
    asks: Mapping[int, AttemptRequest],
    cursors: Mapping[int, str],
) -> None:
    """Insert a whole run as it is known from elsewhere."""
    insert = (
        "INSERT INTO runs (id, project, batch, top, status, last_seq, spec, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    )
    spec, state = codec.spec_text(run.spec), codec.state_text(run)
    top = next(iter(run.spec.ancestors), None)
    values = (run.id, run.spec.project, run.spec.batch, top, run.status, run.seq, spec, state)
    key = db.execute(insert, values).lastrowid or 0
    note_folder(db, run.spec)
    usage_ledger.settle(db, run)
    _insert(db, _event_rows(key, events))
    for n, ask in asks.items():
        _ask(db, key, n, ask)
    _move_cursors(db, [it for n, cursor in cursors.items() for it in (key, n, None, cursor)])
    usage_ledger.claim_of_run(db, key, run.thread_id)


def note_folder(db: sqlite3.Connection, spec: RunSpec) -> None:
    """Keep the folder in which an agent can write, outside the home, while the home exists."""
    is_in_place = spec.workspace.kind is WorkspaceKind.IN_PLACE
    folder = spec.workspace.source if is_in_place else spec.preparation.root
    if folder:
        setting = f"{WORKED_IN}{json.dumps(folder)}"
        db.execute("INSERT OR IGNORE INTO settings VALUES (?, '')", (setting,))
