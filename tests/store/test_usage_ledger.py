"""The ledger of usage: the sum of a run's rows is its usage, whatever becomes of the run."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import spec

from engine.domain.account import AccountChosen
from engine.domain.events import (
    Body,
    LimitsSeen,
    Notice,
    StatusChanged,
    UsageCounted,
)
from engine.domain.model import Agent, LimitWindow, Run, RunSpec, Status, Usage
from engine.domain.usage import slot_of
from engine.store.appending import AppendRequest
from engine.store.migrations import MIGRATIONS
from engine.store.store import Store, open_store
from engine.store.usage_backfill import BACKFILL

PARTS = ("input", "cached", "output", "reasoning", "requests")
BEFORE_LEDGER = next(
    number
    for number, statements in enumerate(MIGRATIONS)
    if any("TABLE usage_slots (" in statement for statement in statements)
)
T = 1_800_000_000.0


def select(path: Path, query: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query, values).fetchall()


def sums(path: Path, by: str = "run") -> dict[str, Usage]:
    columns = ", ".join(f"sum({part})" for part in PARTS)
    rows = select(path, f"SELECT {by}, {columns} FROM usage_slots GROUP BY {by}")
    return {key: Usage(*counts) for key, *counts in rows if any(counts)}


def counted(usage: Usage, model: str | None = None) -> UsageCounted:
    return UsageCounted(
        usage.input, usage.cached, usage.output, None, usage.reasoning, usage.requests, model
    )


def asked(**fields: Any) -> RunSpec:
    return replace(spec(), agent=Agent.CODEX, **fields)


async def started(store: Store, request: RunSpec | None = None) -> str:
    return next(iter((await store.create(request or asked(), [])).runs))


async def happen(store: Store, run: str, *bodies: Body, at: float = T) -> Run:
    store.use_clock(lambda: at)
    return (await store.append([AppendRequest(run, bodies)])).runs[run]


async def test_sum_of_the_rows_is_the_usage(store: Store, database: Path) -> None:
    chance = random.Random(22)
    runs = [await started(store) for _ in range(3)]
    for step in range(60):
        run = chance.choice(runs)
        bodies: list[Body] = [
            # A total that turned out to be too high may be corrected.
            counted(Usage(*(chance.randrange(10**6) for _ in PARTS)), chance.choice("ab"))
            for _ in range(chance.randrange(1, 4))
        ]
        bodies.insert(chance.randrange(len(bodies)), AccountChosen(chance.choice("xy"), "why"))
        now = await happen(store, run, *bodies, at=T + step * 300)
        assert sums(database)[run] == now.usage


async def test_usage_counts_for_its_time_its_model_and_its_account(
    store: Store, database: Path
) -> None:
    run = await started(store, asked(model="asked"))
    await happen(store, run, counted(Usage(10)))
    await happen(store, run, counted(Usage(30), "large"), AccountChosen("work", ""), at=T + 600)
    await happen(store, run, counted(Usage(70, requests=1)), at=T + 601)
    rows = select(database, "SELECT slot, model, account, input, requests FROM usage_slots")
    assert sorted(rows) == [
        (slot_of(T), "asked", "default", 10, 0),
        (slot_of(T + 600), "large", "default", 20, 0),
        (slot_of(T + 600), "large", "work", 40, 1),
    ]


async def test_model_does_not_depend_on_the_transaction(store: Store, database: Path) -> None:
    bodies = [
        StatusChanged(Status.PREPARING),
        counted(Usage(10), "large"),
        replace(counted(Usage(15), "small"), of_sub_agent=True),
        counted(Usage(30)),
        StatusChanged(Status.FAILED),
    ]
    together, apart = await started(store), await started(store)
    await happen(store, together, *bodies, at=T)
    for body in bodies:
        await happen(store, apart, body, at=T)
    for run in (together, apart):
        query = "SELECT model, input FROM usage_slots WHERE run = ? ORDER BY model"
        assert select(database, query, run) == [("large", 25), ("small", 5)]


async def test_time_of_attempts(store: Store, database: Path) -> None:
    run = await started(store)
    await happen(store, run, StatusChanged(Status.PREPARING), at=T)
    await happen(store, run, StatusChanged(Status.RUNNING), at=T + 5)
    skipped = Notice("info", "the machine slept", skipped_s=1000.0)
    await happen(store, run, skipped, at=T + 1010)
    await happen(store, run, StatusChanged(Status.QUEUED), at=T + 1030)
    assert select(database, "SELECT sum(seconds) FROM usage_slots") == [(30.0,)]
    await happen(store, run, StatusChanged(Status.PREPARING), at=T + 2000)
    await happen(store, run, StatusChanged(Status.FAILED), at=T + 2007)
    await happen(store, run, StatusChanged(Status.QUEUED), at=T + 3000)
    await happen(store, run, StatusChanged(Status.CANCELLED), at=T + 4000)
    assert select(database, "SELECT sum(seconds) FROM usage_slots") == [(37.0,)]
    slots = select(database, "SELECT slot FROM usage_slots WHERE seconds > 0 ORDER BY slot")
    assert slots == [(slot_of(T + 1030),), (slot_of(T + 2007),)]


async def test_forgotten_run_leaves_its_usage_and_nothing_else(
    store: Store, database: Path
) -> None:
    runs = [await started(store, asked(title="a secret title")) for _ in range(2)]
    for run in runs:
        await happen(store, run, counted(Usage(10, 5, 3, 2, 1), "large"))
        await happen(store, run, StatusChanged(Status.CANCELLED))
    await store.forget(runs, lambda *_: None, lambda: None)
    kept = sums(database)
    assert list(kept.values()) == [Usage(10, 5, 3, 2, 1)] * 2
    assert sums(database, "project") == {spec().project: Usage(20, 10, 6, 4, 2)}
    rows = str(select(database, "SELECT * FROM usage_slots"))
    assert not any(run in rows for run in runs)
    assert "secret" not in rows


async def test_damaged_run_has_the_usage_of_the_ledger(database: Path) -> None:
    async with open_store(database) as store:
        run = await started(store)
        await happen(store, run, counted(Usage(500, requests=2), "large"))
        await happen(store, run, *[Notice("info", "x")] * 20)
        await happen(store, run, StatusChanged(Status.CANCELLED))
        assert await store.drop_events(T + 10, 5) == {run: 17}
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("UPDATE runs SET state = 'damaged'")
    async with open_store(database) as store:
        now = await happen(store, run, counted(Usage(700, requests=3)), at=T + 600)
    assert now.usage == Usage(700, requests=3)
    assert sums(database) == {run: now.usage}


async def test_run_that_is_put_back_counts(store: Store, database: Path) -> None:
    usage = Usage(10, 5, 3, 2, 1)
    run = Run("1abcdefghj", asked(model="large"), T, Status.FAILED, usage=usage)
    run.started_at, run.finished_at, run.skipped_s = T, T + 1200, 200.0
    await store.put_back(run, [], {}, {})
    assert sums(database) == {run.id: usage}
    rows = select(database, "SELECT slot, model, seconds FROM usage_slots")
    assert rows == [(slot_of(T + 1200), "large", 1000.0)]


async def test_usage_that_an_earlier_version_stored_is_added(store: Store, database: Path) -> None:
    """Its supervisor may still be at work after an upgrade."""
    first, other = [await started(store) for _ in range(2)]
    await happen(store, first, counted(Usage(10)))
    with closing(sqlite3.connect(database)) as db, db:
        query = "UPDATE runs SET state = json_set(state, '$.usage.input', ?) WHERE id = ?"
        db.executemany(query, [(30, first), (70, other)])
    await happen(store, first, counted(Usage(35), "large"), at=T + 9000)
    for _ in range(2):
        await store.settle_usage()
        assert sums(database) == {first: Usage(35), other: Usage(70)}


def window(percent: float) -> LimitsSeen:
    return LimitsSeen((LimitWindow("primary", percent, 300, T + 9000),))


async def test_samples_of_limits_are_few(store: Store, database: Path) -> None:
    runs = [await started(store) for _ in range(2)]
    for second in range(0, 300, 10):
        for run in runs:
            await happen(store, run, window(second // 20), at=T + second)
    samples = select(database, "SELECT at, used_percent FROM limit_samples ORDER BY at")
    assert len(samples) == 5
    assert samples[-1] == (T + 280, 14.0)
    await store.drop_samples(T + 200)
    assert len(select(database, "SELECT * FROM limit_samples")) == 2


async def test_of_equal_samples_the_first_and_the_last_stay(store: Store, database: Path) -> None:
    run = await started(store)
    for minute, percent in enumerate([3, 4, 4, 4, 4, 5]):
        await happen(store, run, window(percent), at=T + 60 * minute)
    samples = select(database, "SELECT at - ?, used_percent FROM limit_samples ORDER BY at", T)
    assert samples == [(0, 3.0), (60, 4.0), (240, 4.0), (300, 5.0)]


# Homes of earlier versions


EVENTS = [
    (T, "status", {"status": "preparing", "reason": ""}),
    (T + 100, "usage", {"input_tokens": 10, "cached_input_tokens": 4, "output_tokens": 1}),
    (T + 700, "usage", {"input_tokens": 30, "cached_input_tokens": 9, "output_tokens": 5}),
    (T + 700, "limits", {"windows": [{"name": "primary", "used_percent": 4, "resets_at": T}]}),
    (T + 705, "limits", {"windows": [{"name": "primary", "used_percent": 5.5}, 7, None]}),
    (T + 800, "notice", {"text": "x", "skipped_s": 300.0}),
    (T + 900, "status", {"status": "failed", "reason": ""}),
]
HOSTILE = [
    (T, "usage", {"input_tokens": "10", "cached_input_tokens": -4, "output_tokens": 1.5}),
    (T, "usage", {"input_tokens": 10**30, "cached_input_tokens": None}),
    (T, "usage", []),
    (-5.0, "usage", {"input_tokens": 7}),
    (T, "limits", {"windows": {"name": 3}}),
    (T, "status", {"status": 7}),
]
USED = {"input": 30, "cached": 9, "output": 5}


@pytest.fixture
def earlier(database: Path) -> Path:
    """A database of the version before the ledger, with runs of all kinds."""
    asks = {"prompt": "p", "title": "t", "project": "garden"}
    state = {"id": "", "created_at": T, "status": "failed", "last_event_at": T + 900}
    runs = [
        ("whole", {**asks, "model": "large"}, {**state, "usage": USED}, EVENTS),
        ("dropped", asks, {**state, "usage": USED}, EVENTS[2:3]),
        ("no events", asks, {**state, "usage": USED}, []),
        ("simulated", {**asks, "agent": "simulated"}, {**state, "usage": USED}, EVENTS),
        ("unused", asks, state, EVENTS[:1]),
        ("hostile", {**asks, "model": 7}, {**state, "usage": {"input": 3}}, HOSTILE),
        ("damaged", asks, None, EVENTS),
    ]
    with closing(sqlite3.connect(database)) as db, db:
        for statements in MIGRATIONS[:BEFORE_LEDGER]:
            for statement in statements:
                db.execute(statement) if "typed_" not in statement else None
        for key, (run, spec_, state_, events) in enumerate(runs):
            texts = json.dumps(spec_), json.dumps({**state_, "id": run}) if state_ else "damaged"
            row = (key, run, "garden", None, "failed", len(events), *texts)
            db.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            for seq, (at, kind, data) in enumerate(events, 1):
                values = (key, seq, at, 1, kind, json.dumps(data))
                db.execute(
                    "INSERT INTO events (run, seq, at, attempt, type, data)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    values,
                )
            db.execute("INSERT INTO events (run, seq, at, attempt, type, data) VALUES"
                       " (?, 99, ?, 1, 'usage', 'damaged')", (key, T))  # fmt: skip
        db.execute(f"PRAGMA user_version = {BEFORE_LEDGER}")
    return database


async def test_ledger_of_an_earlier_home(earlier: Path) -> None:
    async with open_store(earlier) as store:
        runs = {run.id: run for run in await store.runs()}
    used = sums(earlier)
    for name, run in runs.items():
        if name != "damaged":
            assert used.get(name, Usage()) == run.usage
    assert used["damaged"] == used["whole"]
    query = "SELECT slot, model, account, input, seconds FROM usage_slots WHERE run = ?"
    one = (slot_of(T + 100), "large", "default", 10, 0.0)
    other = (slot_of(T + 700), "large", "default", 20, 0.0)
    time = (slot_of(T + 900), "large", "default", 0, 600.0)
    assert select(earlier, query, "whole") == [one, other, time]
    assert select(earlier, query, "no events") == [(slot_of(T + 900), "", "default", 30, 0.0)]
    simulated = select(earlier, "SELECT DISTINCT model, account FROM usage_slots"
                       " WHERE run = 'simulated'")  # fmt: skip
    assert simulated == [("simulated", "simulated")]
    samples = select(earlier, "SELECT account, name, at, used_percent FROM limit_samples")
    assert samples == [(account, "primary", T + 705, 5.5) for account in ("default", "simulated")]
    assert select(earlier, "SELECT count(*) FROM events WHERE type = 'usage'")[0][0] > 10


def test_ledger_of_an_earlier_home_needs_one_scan_of_the_events(earlier: Path) -> None:
    plans: list[str] = []
    with closing(sqlite3.connect(earlier)) as db:
        for statements in MIGRATIONS[BEFORE_LEDGER:]:
            if BACKFILL[0] in statements:
                break
            for statement in statements:
                db.execute(statement)
        db.execute(statements[0])
        for statement in BACKFILL:
            if " SELECT " in statement:
                plans += [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {statement}")]
            db.execute(statement)
    assert sum(plan.startswith(("SCAN events", "SEARCH events")) for plan in plans) == 1
