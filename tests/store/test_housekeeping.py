"""The database is kept in order by itself: its statistics, its log."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from support import spec

from engine.domain.events import Notice
from engine.store import housekeeping
from engine.store.appending import AppendRequest
from engine.store.store import Store, open_store
from engine.store.whole_check import check_whole

SMALL = 64 * 1024


async def _fill(store: Store) -> None:
    run = next(iter((await store.create(spec(), [])).runs))
    await store.append([AppendRequest(run, [Notice("info", "x" * 500) for _ in range(500)])])


def _log(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


@pytest.fixture(autouse=True)
def _small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "LOG_BYTES", SMALL)


async def test_large_log_is_emptied_and_statistics_are_there(database: Path) -> None:
    async with open_store(database) as store:
        await _fill(store)
        assert _log(database).stat().st_size > SMALL
        assert "its log takes" in await check_whole(store)
        assert "not put in order yet" in await check_whole(store)
        await store.shrink(10**12, lambda: True)
        assert _log(database).stat().st_size == 0
        assert "log" not in await check_whole(store)
        assert time.strftime("put in order %Y-") in await check_whole(store)
        with closing(sqlite3.connect(database)) as db:
            assert db.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0]


async def test_log_that_is_read_stays_and_delays_nobody(database: Path) -> None:
    async with open_store(database) as store:
        await _fill(store)
        with closing(sqlite3.connect(database)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            await _fill(store)
            await store.shrink(10**12, lambda: True)
            assert _log(database).stat().st_size > SMALL
        await store.shrink(10**12, lambda: True)
        assert _log(database).stat().st_size == 0
        await _fill(store)  # it still waits for other writers
