"""Data of a newer version: read as far as possible, shown, and never lost."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support import spec

from engine.domain.errors import UserError
from engine.domain.events import Notice, Raw, StatusChanged
from engine.domain.model import Sandbox, Status
from engine.domain.open_enum import unknown_allowed
from engine.domain.projection import View
from engine.domain.run_json import run_json
from engine.domain.stamp import TransitionError
from engine.execution.shared_settings import SharedSettings
from engine.store import codec
from engine.store.appending import AppendRequest
from engine.store.migrations import MIGRATIONS
from engine.store.store import Store, open_store

LATER = len(MIGRATIONS) + 3


def sql(database: Path, statement: str, *values: Any) -> list[Any]:
    with sqlite3.connect(database) as db:
        rows = db.execute(statement, values).fetchall()
    db.close()
    return rows


def change(database: Path, run: str, column: str, **more: Any) -> None:
    """Write into a run's spec or state as a newer version could."""
    ((text,),) = sql(database, f"SELECT {column} FROM runs WHERE id = ?", run)
    sql(
        database,
        f"UPDATE runs SET {column} = ? WHERE id = ?",
        json.dumps({**json.loads(text), **more}),
        run,
    )


def stored(database: Path, run: str) -> dict[str, Any]:
    ((text,),) = sql(database, "SELECT state FROM runs WHERE id = ?", run)
    return json.loads(text)


async def made(store: Store) -> str:
    return next(iter((await store.create(spec(), [])).runs))


@pytest.fixture(params=[0, 200], autouse=True, ids=["many", "few"])
def number_of_runs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read runs in the way of many, and in the way of few."""
    monkeypatch.setattr(codec, "MANY", request.param)


@pytest.mark.parametrize(
    ("column", "more"),
    [
        ("state", {"status": "hibernating", "stage": "dreaming"}),
        ("state", {"workspace": {"path": "/w", "kind": "container", "host": "far"}}),
        ("state", {"usage": "many", "plan": {"steps": 3}, "limits": [7], "reason": None}),
        ("spec", {"agent": "orchestra", "sandbox": "bubble", "prompt": {"parts": ["a"]}}),
        ("spec", {"workspace": {"kind": "image", "source": 5}, "retries": "often"}),
    ],
)
async def test_an_odd_run_is_shown_and_hides_no_other(
    store: Store, database: Path, column: str, more: dict[str, Any]
) -> None:
    first, odd, last = [await made(store) for _ in range(3)]
    change(database, odd, column, **more)
    runs = {run.id: run for run in await store.runs()}
    assert runs.keys() == {first, odd, last}
    for run in runs.values():
        assert json.dumps(run_json(run, 1.0))
    for name in ("status", "stage"):
        if name in more:
            assert getattr(runs[odd], name) == more[name]
    assert View(runs.values()).runs.keys() == runs.keys()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"id": 5}'])
async def test_a_record_that_is_no_record_hides_no_other(
    store: Store, database: Path, text: str
) -> None:
    whole, odd = await made(store), await made(store)
    sql(database, "UPDATE runs SET state = ? WHERE id = ?", text, odd)
    assert {run.id for run in await store.runs()} == {whole, odd}
    await store.append([AppendRequest(whole, [Notice("info", "x")])])


async def test_what_is_unknown_survives_an_update_of_the_run(store: Store, database: Path) -> None:
    run = await made(store)
    workspace = {"path": "/w", "kind": "container", "host": {"name": "far"}}
    plan = [{"text": "a", "completed": False, "owner": "me"}]
    unknown = {"mood": ["good"], "workspace": workspace, "plan": plan, "changes": "plenty"}
    change(database, run, "state", **unknown)
    for text in ("one", "two"):
        await store.append([AppendRequest(run, [Notice("info", text)])])
    state = stored(database, run)
    assert state["workspace"].items() >= workspace.items()
    assert {name: state[name] for name in ("mood", "plan", "changes")} == {
        name: unknown[name] for name in ("mood", "plan", "changes")
    }
    assert (state["notice"], state["seq"]) == ("two", 3)


async def test_an_unknown_status_is_kept_and_not_acted_on(store: Store, database: Path) -> None:
    run = await made(store)
    change(database, run, "state", status="hibernating")
    sql(database, "UPDATE runs SET status = 'hibernating' WHERE id = ?", run)
    with pytest.raises(TransitionError):
        await store.append([AppendRequest(run, [StatusChanged(Status.PREPARING)])])
    await store.append([AppendRequest(run, [Notice("info", "seen")])])
    assert stored(database, run)["status"] == "hibernating"
    view = View(await store.runs())
    assert (view.live, view.queue(), view.active()) == (set(), [], [])


async def test_unknown_events_are_kept_whole(store: Store, database: Path) -> None:
    run = await made(store)
    add = "INSERT INTO events (run, seq, at, attempt, type, data) VALUES (1, ?, 1.0, 1, ?, ?)"
    sql(database, add, 2, "telepathy", '{"said": "hm"}')
    sql(database, add, 3, "status", '{"status": "hibernating", "until": 5}')
    sql(database, add, 4, "plan", '{"items": "none"}')
    sql(database, add, 5, "step", "no JSON")
    events = await store.events(run)
    assert [event.body for event in events[1:]] == [
        Raw({"type": "telepathy", "said": "hm"}),
        StatusChanged(Status.read("hibernating")),
        Raw({"type": "plan", "items": "none"}),
        Raw({"type": "step", "data": "no JSON"}),
    ]
    (current,) = await store.runs()
    assert View([current]).apply(events) == {run}
    assert (await store.events_between(0, 100))[0] == events
    assert [event for _, event in await store.history(run).page(limit=100)] == events


async def test_more_tables_and_columns_do_no_harm(database: Path) -> None:
    async with open_store(database) as store:
        run = await made(store)
    sql(database, "ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'")
    sql(database, "ALTER TABLE events ADD COLUMN weight REAL")
    sql(database, "CREATE TABLE moods (mood TEXT)")
    sql(database, f"PRAGMA user_version = {LATER}")
    async with open_store(database) as store:
        await store.append([AppendRequest(run, [Notice("info", "x")])])
        assert len(await store.runs()) == 1
        await made(store)
    assert sql(database, "PRAGMA user_version") == [(LATER,)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE runs RENAME COLUMN state TO blob",
        "ALTER TABLE attempts RENAME TO tries",
        "DROP VIEW said",
        "CREATE TABLE t (a)",
    ],
)
async def test_a_database_without_what_is_needed_is_refused_and_not_changed(
    database: Path, statement: str
) -> None:
    async with open_store(database) as store:
        await made(store)
    sql(database, statement)
    if statement.startswith("CREATE"):  # a column that every new row has to bring
        sql(database, "CREATE TABLE copy AS SELECT * FROM settings")
        sql(database, "DROP TABLE settings")
        sql(database, "CREATE TABLE settings (name TEXT, value TEXT, owner TEXT NOT NULL)")
    sql(database, "PRAGMA journal_mode = DELETE")
    sql(database, f"PRAGMA user_version = {LATER}")
    before = database.read_bytes()
    with pytest.raises(UserError) as caught:
        async with open_store(database):
            pass
    assert caught.value.code == "DATABASE_NEWER"
    assert database.read_bytes() == before


async def test_odd_settings_and_patterns_stop_nothing(store: Store, database: Path) -> None:
    shared = SharedSettings(store, 4)
    sql(database, "INSERT INTO settings VALUES ('slots', 'many'), ('pause', '{\"reason\": 5}')")
    sql(
        database,
        'INSERT INTO patterns VALUES (1, \'p1\', 1.0, 0, NULL, \'{"goal": "g", "steps": 7}\')',
    )
    sql(database, "INSERT INTO patterns VALUES (2, 'p2', 1.0, 0, NULL, 'no JSON')")
    await shared.refresh()
    assert (shared.slots, shared.pause) == (4, None)
    assert [known.pattern.goal for known in await store.patterns()] == ["g"]


def test_what_users_type_is_still_checked() -> None:
    with pytest.raises(ValueError, match="bubble"):
        Sandbox("bubble")
    with unknown_allowed():
        assert Sandbox("bubble") == "bubble"
    with pytest.raises(ValueError, match="bubble"):
        Sandbox("bubble")


def test_a_run_of_this_version_costs_nothing_more() -> None:
    run = codec.run_from(codec.spec_text(spec()), '{"id":"r","created_at":1.0}')
    assert codec.unknown_state(run, codec.state_text(run)) is None
