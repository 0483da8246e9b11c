"""The database gives back what it no longer needs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from support import spec

from engine.domain.events import Notice, StatusChanged
from engine.domain.model import Status
from engine.store.appending import AppendRequest
from engine.store.store import Store, open_store

MANY = 3000


async def fill(store: Store, last: Status = Status.CANCELLED) -> str:
    run = next(iter((await store.create(spec(), [])).runs))
    await store.append([AppendRequest(run, [Notice("info", "x" * 500) for _ in range(MANY)])])
    await store.append([AppendRequest(run, [StatusChanged(last)])])
    return run


async def test_what_was_dropped_makes_the_file_smaller(database: Path) -> None:
    async with open_store(database) as store:
        run = await fill(store)
        live = await fill(store, Status.PREPARING)
        assert await store.drop_events(0.0) == {}
        assert await store.drop_events(4e9, 10) == {run: MANY + 2 - 10 - 1}
        assert len(await store.events(live)) == MANY + 2
        await store.shrink(10**12, lambda: True)
    before = MANY * 2 * 500
    assert database.stat().st_size < before * 0.8


async def test_an_older_database_learns_to_shrink(database: Path) -> None:
    async with open_store(database) as store:
        run = await fill(store)
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("VACUUM")
        db.execute("PRAGMA journal_mode = WAL")
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    async with open_store(database) as store:
        await store.shrink(10**12, lambda: False)  # not while runs are at work
        await store.shrink(0, lambda: True)  # nor without room for it
        with closing(sqlite3.connect(database)) as db:
            assert db.execute("PRAGMA auto_vacuum").fetchone() == (0,)
        await store.shrink(10**12, lambda: True)
        assert len(await store.events(run)) == MANY + 2
    with closing(sqlite3.connect(database)) as db:
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
