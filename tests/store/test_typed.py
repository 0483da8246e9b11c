"""Causes, subjects and the like are added once to what an earlier version has stored.

`tests/store/earlier/untyped.sql` was written by the version before there were such types.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest

from engine.domain.model import Run, Status
from engine.domain.projection import fold
from engine.domain.reasons import Cause, Condition, Occupation, Subject, WaitingFor
from engine.execution import run_records
from engine.store import typed
from engine.store.migrations import MIGRATIONS
from engine.store.presence import RECORD
from engine.store.store import Store, open_store

UNTYPED = Path(__file__).parent / "earlier" / "untyped.sql"
BEFORE = 6
"""The version of that database."""
KEPT = (
    "SELECT id, name, template, made_of, created_at, budget FROM batches",
    "SELECT * FROM attempts", "SELECT * FROM messages",
    "SELECT * FROM deliveries", "SELECT * FROM patterns", "SELECT * FROM pattern_runs",
    "SELECT key, id, project, batch, status, last_seq, spec FROM runs",
    "SELECT id, run, seq, at, attempt, type FROM events",
    "SELECT * FROM settings WHERE name <> 'pause'",
)  # fmt: skip
CHANGED = (
    "SELECT id, data FROM events", "SELECT key, state FROM runs",
    "SELECT name, value FROM settings WHERE name = 'pause'",
)  # fmt: skip


def select(path: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


@pytest.fixture
def untyped(database: Path) -> Path:
    """The database, as that version has left it."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        for statements in MIGRATIONS[:BEFORE]:
            for statement in statements:
                db.execute(statement)
        db.execute("DELETE FROM search_places")
        db.executescript(UNTYPED.read_text())
        db.execute("INSERT INTO search_places VALUES ('events', 0), ('runs', 0)")
        db.execute(f"PRAGMA user_version = {BEFORE}")
    return database


async def by_title(store: Store) -> dict[str, Run]:
    return {run.spec.title: run for run in await store.runs()}


async def test_nothing_but_the_types_is_added(untyped: Path) -> None:
    kept = [select(untyped, query) for query in KEPT]
    changed = [select(untyped, query) for query in CHANGED]
    async with open_store(untyped):
        pass
    assert [select(untyped, query) for query in KEPT] == kept
    added: set[str] = set()
    for query, before in zip(CHANGED, changed, strict=True):
        after = dict(select(untyped, query))
        assert list(after) == [key for key, _ in before]
        for key, text in before:
            old, new = json.loads(text), json.loads(after[key])
            added |= new.keys() - old.keys()
            assert {name: new[name] for name in old} == old
            assert after[key].startswith(text[:-1]), "what was there is not written again"
    assert added == {"cause", "subject", "occupation", "waits", "waiting_for"}


async def test_every_run_has_its_types(untyped: Path) -> None:
    async with open_store(untyped) as store:
        runs = await by_title(store)
        said = {title: (run.cause, run.occupation) for title, run in runs.items()}
        pause = json.loads((await store.settings())["pause"])
    assert said == {
        "killed": (Cause.KILL, None),
        "cancelled": (Cause.CANCEL, None),
        "failed": (Cause.ERROR, None),
        "dropped": (Cause.DEPENDENCY, None),
        "retried": (Cause.AUTOMATIC_RETRY, None),
        "checked": (None, Occupation.COMMAND),
        "limited": (Cause.LIMIT, None),
        "vanished": (Cause.ERROR, None),
        "resumed": (Cause.RESUME, None),
        "again": (Cause.RETRY, None),
        "stalled": (None, Occupation.COMMAND),
        "offline": (None, Occupation.NETWORK),
        "agents": (None, Occupation.WAIT),
        "sleeping": (None, Occupation.WAIT),
        "queued": (None, None),
        "first": (None, None),
        "second": (None, None),
    }
    assert pause["waiting_for"] == WaitingFor.LIMIT
    assert (runs["retried"].retries_used, runs["limited"].limit_hits) == (2, 1)


async def test_the_events_tell_the_runs_as_they_are_stored(untyped: Path) -> None:
    async with open_store(untyped) as store:
        for run in await store.runs():
            events = await store.events(run.id)
            told = fold(Run(run.id, run.spec, run.created_at), events)
            for one in fields(Run):
                assert getattr(told, one.name) == getattr(run, one.name), (run.spec.title, one.name)


async def test_what_an_agent_said_is_no_subject(untyped: Path) -> None:
    """A message of the user or the agent begins with the same words."""
    async with open_store(untyped) as store:
        runs = await by_title(store)
        bodies = [event.body for event in await store.events(runs["resumed"].id)]
        notices = [event.body for event in await store.events(runs["stalled"].id)]
    assert [body.subject for body in bodies if body.type == "notice"] == [None]
    assert [body.subject for body in notices if body.type == "notice"] == [Subject.STALLED]


async def test_a_database_is_typed_once(untyped: Path) -> None:
    """A text that looks like one of those from before decides nothing afterwards."""
    async with open_store(untyped):
        pass
    change = "UPDATE events SET data = json_remove(data, '$.cause')"
    with closing(sqlite3.connect(untyped)) as db, db:
        db.execute(change)
    async with open_store(untyped):
        pass
    found = select(untyped, "SELECT count(*) FROM events WHERE data LIKE '%\"cause\"%'")
    assert found == [(0,)]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b"7", b"null", b"\xff", b'{"reason":7}', b"{}", b"[" * 10_000]
)
def test_what_is_damaged_stays_as_it_is(data: bytes) -> None:
    for kind in ("status", "notice", "step"):
        assert typed.event(kind, data) is None
    assert typed.state(data) is typed.pause(data) is None


async def test_a_damaged_row_does_not_keep_the_others(untyped: Path) -> None:
    with closing(sqlite3.connect(untyped)) as db, db:
        db.execute("UPDATE events SET data = '{\"reason\":' || x'ff' WHERE id = 1")
        db.execute("UPDATE runs SET state = x'7bff' WHERE key = 1")
    async with open_store(untyped) as store:
        assert (await by_title(store))["cancelled"].cause is Cause.CANCEL


@pytest.mark.parametrize(
    ("reason", "waiting_for"),
    [
        ("2 runs in a row were refused the login", WaitingFor.LOGIN),
        (Condition.QUOTA.value, WaitingFor.DISK),
        (Condition.MEMORY.value, WaitingFor.MACHINE),
        ("until the release is out", None),
    ],
)
def test_a_pause_of_before_is_typed(reason: str, waiting_for: WaitingFor | None) -> None:
    text = typed.pause(json.dumps({"reason": reason, "until": 5.0}).encode())
    assert (json.loads(text)["waiting_for"] if text else None) == waiting_for


def test_the_record_of_a_run_is_typed_as_it_is_read(tmp_path: Path) -> None:
    state = {"id": "a", "created_at": 1.0, "status": "cancelled", "reason": "killed by the user"}
    record = {"format": 1, "spec": {"prompt": "x", "title": "t", "project": "p"}, "state": state}
    for number, cause in ((1, Cause.KILL), (2, None)):
        whole = {**record, "format": number, "asks": {}}
        (tmp_path / RECORD).write_text(json.dumps(whole))
        found = run_records.read(tmp_path)
        assert found
        run, _ = found
        assert (run.status, run.cause) == (Status.CANCELLED, cause)


async def test_types_of_a_newer_version_are_kept(untyped: Path) -> None:
    async with open_store(untyped):
        pass
    with closing(sqlite3.connect(untyped)) as db, db:
        db.execute("UPDATE runs SET state = json_set(state, '$.cause', 'moon') WHERE key = 1")
        db.execute("UPDATE events SET data = json_set(data, '$.cause', 'moon') WHERE id = 2")
    async with open_store(untyped) as store:
        run = (await by_title(store))["killed"]
        assert (run.cause, run.cause and run.cause.is_known) == ("moon", False)
        event = (await store.events(run.id))[1]
        assert (event.body.type, event.body.cause) == ("status", "moon")
        assert replace(event.body, cause=None).status is Status.PREPARING
