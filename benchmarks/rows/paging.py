"""A page of events from anywhere in a large store, against plain SQL by key."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.row import Bench, Round, Row, alternating

RUNS, PAGE, PAGES = 20, 50, 200
_STEP = (
    '{"role":"tool","kind":"command","phase":"completed","text":"pytest -q tests/part_%d",'
    '"command":"/bin/bash -lc \'pytest -q\'","exit_code":0,"output":"....... 7 passed in 0.31s"}'
)
_KEYSET = (
    "SELECT id, run, seq, at, attempt, type, data FROM events"
    " WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?"
)


@contextmanager
def _rounds(bench: Bench) -> Iterator[Round]:
    from engine.store.store import open_store

    events = bench.size(1_000_000, 200_000)
    path = bench.shared("paging", lambda folder: _filled(folder / "swarm.db", events))
    each = events // RUNS
    chance = random.Random(1)
    with asyncio.Runner() as runner, closing(sqlite3.connect(path)) as plain:
        opened = open_store(path)
        store = runner.run(opened.__aenter__())
        ids = [run.id for run in runner.run(store.runs())][::-1]

        async def ours() -> float:
            took: list[float] = []
            for _ in range(PAGES):
                run, after = chance.choice(ids), chance.randrange(each - PAGE)
                began = time.perf_counter()
                page = await store.events(run, after=after, limit=PAGE)
                took.append(time.perf_counter() - began)
                assert page[-1].seq == after + PAGE
            return median(took)

        def yardstick() -> float:
            took: list[float] = []
            for _ in range(PAGES):
                key, after = chance.randint(1, RUNS), chance.randrange(each - PAGE)
                began = time.perf_counter()
                rows = plain.execute(_KEYSET, (key, after, PAGE)).fetchall()
                took.append(time.perf_counter() - began)
                assert rows[-1][2] == after + PAGE
            return median(took)

        yield alternating(lambda: runner.run(ours()), yardstick)
        runner.run(opened.__aexit__(None, None, None))


def _filled(path: Path, events: int) -> Path:
    """Make a store of so many events: runs through the store, events as fast as SQLite can."""
    from engine.domain.model import RunSpec
    from engine.store.store import open_store

    async def runs() -> None:
        async with open_store(path) as store:
            for n in range(RUNS):
                await store.create(RunSpec(f"task {n}", f"run {n}", "bench"), ())

    asyncio.run(runs())
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM events")
        db.executemany(
            "INSERT INTO events (run, seq, at, attempt, type, data) VALUES (?, ?, ?, 1, 'step', ?)",
            ((n % RUNS + 1, n // RUNS + 1, n / 100, _STEP % n) for n in range(events)),
        )
    return path


ROWS = [
    Row(
        name="store.page",
        what="page of 50 events anywhere in 1,000,000",
        quick_what="page of 50 events anywhere in 200,000",
        yardstick="raw sqlite3, keyset",
        target=4,
        aim=2,
        rounds=_rounds,
    )
]
