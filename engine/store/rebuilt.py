"""Runs whose stored state cannot be read: made again from their events."""

from __future__ import annotations

import sqlite3

import msgspec

from engine.domain.model import Run
from engine.domain.projection import fold
from engine.store import codec
from engine.store.database_errors import read_rows


def is_unreadable(run: Run) -> bool:
    """Return whether nothing of the stored state of a run could be read."""
    return str(run.status) == codec.UNREADABLE


def rebuilt(db: sqlite3.Connection, key: int, run: Run, spec: str) -> Run:
    """Return the run rebuilt from its stored events, for one that is unreadable."""
    query = "SELECT seq, at, attempt, type, data FROM events WHERE run = ? ORDER BY seq"
    events = [codec.event_from(run.id, *row) for row in read_rows(db, query, (key,))]
    try:
        asked = codec.spec_from(spec)
    except (msgspec.DecodeError, TypeError, RecursionError):
        run.seq = events[-1].seq if events else 0  # what is appended comes after them
        return run
    return fold(Run(run.id, asked, events[0].at if events else 0.0), events)
