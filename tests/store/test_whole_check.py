"""The check of the whole database keeps nothing waiting, and can be stopped."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from support import spec

from engine.domain.errors import UserError
from engine.store import housekeeping
from engine.store.store import open_store
from engine.store.whole_check import check_whole

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


async def test_reads_and_writes_go_on_during_a_check_and_a_cancel_ends_it(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = threading.Event()

    def endless(db: sqlite3.Connection) -> str:
        reading.set()
        return str(db.execute(ENDLESS).fetchone())

    monkeypatch.setattr(housekeeping, "describe", endless)
    async with open_store(database) as store:
        check = asyncio.ensure_future(check_whole(store))
        await asyncio.to_thread(reading.wait)
        run = next(iter((await store.create(spec(), [])).runs))
        assert [one.id for one in await store.runs()] == [run]
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
        assert await store.settings() is not None


async def test_a_check_names_the_damage(database: Path) -> None:
    async with open_store(database) as store:
        for _ in range(50):
            await store.create(spec("say " + "x" * 2000), [])
        assert "50 runs" in await check_whole(store)
    async with open_store(database) as store:
        with database.open("r+b") as file:
            file.seek(database.stat().st_size // 2)
            file.write(b"\xff" * 8192)
        with pytest.raises(UserError) as raised:
            await check_whole(store)
    assert raised.value.code == "DATABASE_CORRUPT"
