"""The ledger of usage: tokens of each run by time, model and account, kept when a run is forgotten.

It is written in the transaction that stores the event, with the difference to what the run had
used before: so the sum of a run's rows is always the usage of the run. The time that an attempt
took is added when it ends.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from engine.domain.account import AccountChosen, account_name
from engine.domain.activity import elapsed_s
from engine.domain.events import Event, LimitsSeen, Notice, StatusChanged, UsageCounted
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Agent, LimitWindow, Run, Status, Usage
from engine.domain.usage import SIMULATED, slot_of

SAMPLE_S = 60
"""The shortest time between two samples of a rate-limit window."""
SAMPLES_KEPT_S = 40 * 86_400.0
FORGOTTEN = "forgotten:"
"""Begins what stands for the id of a forgotten run."""

_PARTS = ("input", "cached", "output", "reasoning", "requests")
_COUNTS = (*_PARTS, "seconds")
_ADD = f"""INSERT INTO usage_slots (run, slot, model, account, project, {", ".join(_COUNTS)})
    VALUES (?, ?, ?, ?, ?, {", ".join("?" * len(_COUNTS))})
    ON CONFLICT (run, slot, model, account) DO UPDATE SET
    {", ".join(f"{name} = {name} + excluded.{name}" for name in _COUNTS)}"""
_TOTAL = f"SELECT {', '.join(f'total({name})' for name in _PARTS)} FROM usage_slots WHERE run = ?"
_LATEST = """SELECT at, used_percent, resets_at FROM limit_samples
    WHERE account = ? AND name = ? ORDER BY at DESC LIMIT 2"""
_DROP_SAMPLE = "DELETE FROM limit_samples WHERE account = ? AND name = ? AND at = ?"
_THREADS_OF_ATTEMPTS = """INSERT OR IGNORE INTO run_threads
    SELECT coalesce(json_extract(cursor, '$.agent.thread_id'), json_extract(cursor, '$.thread_id'))
    AS thread FROM attempts WHERE json_valid(cursor) AND thread <> ''"""
"""The threads that the attempts of runs worked on: also the earlier ones of a run."""
_SAMPLE = """INSERT OR REPLACE INTO limit_samples
    (account, name, at, used_percent, window_minutes, resets_at) VALUES (?, ?, ?, ?, ?, ?)"""


class _Place(NamedTuple):
    """The columns of a row that are not summed up."""

    run: str
    slot: int
    model: str
    account: str
    project: str


def account_of(run: Run) -> str:
    """Return the account that the attempts of a run are billed to."""
    return account_name(run)


def keep(db: sqlite3.Connection, before: Run, after: Run, events: Sequence[Event]) -> None:
    """Write down what these events of a run counted, in the present transaction."""
    if after.usage is not before.usage or after.status is not before.status:
        db.executemany(_ADD, _rows(before, events))
    if after.limits is not before.limits:
        _keep_samples(db, after, events)


def settle(db: sqlite3.Connection, run: Run) -> None:
    """Add what the ledger does not hold of a run whose events are not known one by one."""
    known = total(db, run.id)
    missing = _difference(run.usage, known or Usage())
    # Of the time, that of the last attempt is known.
    seconds = elapsed_s(run, run.finished_at) if run.finished_at and not known else 0.0
    if any(missing) or seconds:
        at = run.finished_at or run.last_event_at or run.created_at
        db.execute(_ADD, (*_place(run, at, run.model or run.spec.model or ""), *missing, seconds))


def total(db: sqlite3.Connection, run: str) -> Usage | None:
    """Return the usage of a run by the ledger; None where it has none."""
    sums = db.execute(_TOTAL, (run,)).fetchone()
    return Usage(*map(int, sums)) if any(sums) else None


def forget(db: sqlite3.Connection, run: str, number: int) -> None:
    """Keep the rows of a forgotten run under a number."""
    db.execute("UPDATE usage_slots SET run = ? WHERE run = ?", (f"{FORGOTTEN}{number}", run))


def drop_samples(db: sqlite3.Connection, before: float) -> None:
    """Drop the samples of the limits from before a time."""
    db.execute("DELETE FROM limit_samples WHERE at < ?", (before,))


def _rows(before: Run, events: Iterable[Event]) -> Iterable[tuple[Any, ...]]:
    used, model = before.usage, before.model or before.spec.model or ""
    account = account_of(before)
    began = before.started_at if before.finished_at is None else None
    skipped = before.skipped_s
    for event in events:
        match event.body:
            case UsageCounted() as body:
                grown = _difference(body.usage, used)
                used = body.usage
                if any(grown):
                    place = _place(before, event.at, body.model or model, account)
                    yield (*place, *grown, 0.0)
                model = _model_after(body, model)
            case AccountChosen() as body:
                account = body.account
            case Notice(skipped_s=float() as more):
                skipped += more
            case StatusChanged(status=Status.PREPARING):
                began, skipped = event.at, 0.0
            case StatusChanged(status=status) if status in _ENDS and began is not None:
                seconds = max(0.0, event.at - began - skipped)
                began = None
                yield (*_place(before, event.at, model, account), 0, 0, 0, 0, 0, seconds)
            case _:
                pass


def _model_after(body: UsageCounted, model: str) -> str:
    """Return the model of the run after a count: those of its sub-agents are not it."""
    return (None if body.of_sub_agent else body.model) or model


_ENDS = FINISHED | {Status.QUEUED}


def _place(run: Run, at: float, model: str, account: str = "") -> _Place:
    # No price list knows that model: what is simulated costs nothing.
    model = SIMULATED if run.spec.agent is Agent.SIMULATED else model
    return _Place(run.id, slot_of(at), model, account or account_of(run), run.spec.project)


def _difference(now: Usage, before: Usage) -> list[int]:
    return [getattr(now, name) - getattr(before, name) for name in _PARTS]


def _keep_samples(db: sqlite3.Connection, run: Run, events: Iterable[Event]) -> None:
    seen = [event for event in events if isinstance(event.body, LimitsSeen)]
    for event in seen[-1:]:
        for window in run.limits:
            _keep_sample(db, account_of(run), event.at, window)


def _keep_sample(db: sqlite3.Connection, account: str, at: float, window: LimitWindow) -> None:
    """Keep a sample: of each minute the latest, of equal ones the first and the last."""
    latest = db.execute(_LATEST, (account, window.name)).fetchall()
    equal = [row[1:] == (window.used_percent, window.resets_at) for row in latest]
    is_same_minute = bool(latest) and latest[0][0] // SAMPLE_S == at // SAMPLE_S
    if equal == [True, True] or (is_same_minute and not equal[0]):
        db.execute(_DROP_SAMPLE, (account, window.name, latest[0][0]))
    elif is_same_minute:
        return
    place = (account, window.name, at)
    db.execute(_SAMPLE, (*place, window.used_percent, window.window_minutes, window.resets_at))


def claim(db: sqlite3.Connection, thread: str) -> None:
    """Take note that a thread is a run's, for good: its usage is counted with the run.

    It is removed from the other sessions, and so are its sub-agents.
    """
    if db.execute("INSERT OR IGNORE INTO run_threads VALUES (?)", (thread,)).rowcount:
        db.execute(
            "WITH RECURSIVE below (thread) AS (VALUES (?) UNION SELECT session_threads.thread"
            " FROM session_threads JOIN below ON root = below.thread WHERE root <> '')"
            " DELETE FROM session_slots WHERE thread IN below",
            (thread,),
        )


def claim_of_run(db: sqlite3.Connection, key: int, thread: str | None) -> None:
    """Take note of the threads of a run that was inserted as a whole."""
    if thread:
        claim(db, thread)
    db.execute(f"{_THREADS_OF_ATTEMPTS} AND run = ?", (key,))
