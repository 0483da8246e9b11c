"""The database file: made, made newer, refused; never damaged further."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from earlier_databases import go_back
from support import spec

from engine.domain.errors import UserError
from engine.store import connect
from engine.store.migrations import MIGRATIONS
from engine.store.store import open_store

FOLDERS = 6
"""Migrations before the one that keeps the folders of runs in place."""
BEFORE_FAMILIES = next(n for n, step in enumerate(MIGRATIONS) if "ADD COLUMN top " in step[0])


def run_sql(path: Path, *statements: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        rows: list[tuple] = []
        for statement in statements:
            rows += db.execute(statement).fetchall()
        db.commit()
        return rows


async def refused(path: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        async with open_store(path):
            pass
    return caught.value


async def test_a_fresh_database_is_private_and_up_to_date(database: Path) -> None:
    async with open_store(database) as store:
        assert await store.runs() == []
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert run_sql(database, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert run_sql(database, "PRAGMA journal_mode") == [("wal",)]
    assert run_sql(database, "PRAGMA integrity_check") == [("ok",)]


async def test_many_can_make_the_same_database_at_once(database: Path) -> None:
    async def open_it() -> None:
        async with open_store(database) as store:
            assert await store.runs() == []

    await asyncio.gather(*(open_it() for _ in range(8)))


async def test_every_migration_is_applied_once_and_in_order(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(database):
        pass
    more = (("CREATE TABLE later (a)",), ("INSERT INTO later VALUES (7)",))
    monkeypatch.setattr(connect, "MIGRATIONS", (*MIGRATIONS, *more))
    for _ in range(2):
        async with open_store(database):
            pass
    assert run_sql(database, "SELECT a FROM later") == [(7,)]


async def test_a_migration_that_fails_leaves_nothing_behind(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ("CREATE TABLE later (a)", "INSERT INTO nowhere VALUES (1)")
    with monkeypatch.context() as patch:
        patch.setattr(connect, "MIGRATIONS", (*MIGRATIONS, broken))
        assert (await refused(database)).code == "DATABASE_UNUSABLE"
    tables = run_sql(database, "SELECT name FROM sqlite_master WHERE name = 'later'")
    assert (tables, run_sql(database, "PRAGMA user_version")) == ([], [(len(MIGRATIONS),)])


async def test_a_newer_database_is_refused_and_stays_as_it_is(database: Path) -> None:
    run_sql(database, "CREATE TABLE t (a)", f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    error = await refused(database)
    assert error.code == "DATABASE_NEWER"
    assert "Update swarm-tui" in error.recovery
    assert run_sql(database, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]


@pytest.mark.parametrize("kind", ["words", "noise", "zeros", "damaged inside"])
async def test_garbage_is_refused_and_left_untouched(database: Path, kind: str) -> None:
    whole = b"SQLite format 3\0" + os.urandom(8192)
    garbage = {"words": b"no database" * 500, "noise": os.urandom(8192), "zeros": bytes(5000)}.get(
        kind, whole
    )
    database.write_bytes(garbage)
    error = await refused(database)
    assert error.code == "DATABASE_CORRUPT"
    assert str(database) in error.message
    assert "--recover" in error.recovery
    assert database.read_bytes() == garbage


async def test_a_folder_in_its_place_is_named(database: Path) -> None:
    database.mkdir()
    error = await refused(database)
    assert error.code == "DATABASE_UNUSABLE"
    assert str(database) in error.message


async def test_a_locked_database_is_said_to_be_locked(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BUSY_TIMEOUT_MS", 10)
    async with open_store(database) as store:
        with closing(sqlite3.connect(database)) as db:
            db.execute("BEGIN IMMEDIATE")
            with pytest.raises(UserError) as caught:
                await store.change_setting("slots", lambda _: "3")
        assert caught.value.code == "DATABASE_LOCKED"
        await store.change_setting("slots", lambda _: "3")
        assert await store.settings() == {"slots": "3"}


async def test_folders_of_earlier_runs_in_place_are_known(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(connect, "MIGRATIONS", MIGRATIONS[:FOLDERS])
        async with open_store(database):
            pass
    add = "INSERT INTO runs (id, project, status, last_seq, spec, state)"
    add += " VALUES ('{}', '', 'x', 0, '{}', '{{}}')"
    place = '{{"learn_from":null,"workspace":{{"kind":"{}","source":{}}}}}'
    names = [r'"/a/\udcff\"x"', '"/ä"', "null"]
    specs = [place.format("in-place", name) for name in names] + [place.format("copy", '"/c"')]
    run_sql(database, *(add.format(n, spec) for n, spec in enumerate(specs)))
    async with open_store(database) as store:
        settings = await store.settings()
    assert set(settings) == {f"worked in {name}" for name in names[:2]}


async def test_families_are_kept_from_the_first_child_on(database: Path) -> None:
    async with open_store(database) as store:
        old = next(iter((await store.create(spec(), [])).runs))
    with closing(sqlite3.connect(database)) as db:
        go_back(db, BEFORE_FAMILIES)
        assert "top" not in [row[1] for row in db.execute("PRAGMA table_info(runs)")]
    async with open_store(database) as store:
        child = next(iter((await store.create(spec(parent=old), [])).runs))
        assert [run.id for run in await store.runs(below=old)] == [child]
        with pytest.raises(UserError, match="which would be the parent"):
            await store.create(spec(parent="nobody"), [])
