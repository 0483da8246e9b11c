"""A home that an earlier version has written opens and continues.

`tests/store/earlier/home.tar.xz` was written before the database had baselines: a run that
succeeded and was resumed, one that failed, one whose processes a power cut ended, one that waits.
"""

from __future__ import annotations

import sqlite3
import tarfile
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import repos
from support import settled, supervising, texts

from engine.config.paths import Paths
from engine.domain.model import Run, Status
from engine.engine import ApplyMode, Engine, recover
from engine.store.migrations import MIGRATIONS

STORED = Path(__file__).parents[1] / "store" / "earlier" / "home.tar.xz"
WRITTEN_IN = "/tmp/durable_fix/earlier"


@pytest.fixture
def earlier(tmp_path: Path) -> Paths:
    """The home, as if it had been written here."""
    with tarfile.open(STORED) as stored:
        stored.extractall(tmp_path, filter="data")
    home = tmp_path / "earlier" / "home"
    with closing(sqlite3.connect(home / "swarm.db")) as db, db:
        for table, column in (("runs", "spec"), ("runs", "state"), ("events", "data")):
            change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            db.execute(change, (WRITTEN_IN, str(tmp_path / "earlier")))
    return Paths(home, tmp_path / "config.yaml")


def by_title(runs: list[Run]) -> dict[str, Run]:
    return {run.spec.title: run for run in runs}


async def test_it_opens_and_goes_on(earlier: Paths) -> None:
    with closing(sqlite3.connect(earlier.database)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] < len(MIGRATIONS)
    async with supervising(earlier) as engine:
        runs = by_title(await engine.runs())
        assert (runs["good"].status, runs["bad"].status) == (Status.SUCCEEDED, Status.FAILED)
        assert runs["good"].baseline
        said = texts(await engine.events(runs["good"].id))
        assert said == ["end", "again"]
        writing = partial(engine.workspaces.write_diff, runs["good"].id)
        assert b"+two" in await repos.written(writing)
        await engine.set_pause(None)
        await settled(engine)
        ended = by_title(await engine.runs())
        assert ended["queued"].status is Status.SUCCEEDED
        assert ended["live"].status is Status.INTERRUPTED
        await engine.resume(runs["good"].id, "sim: write c.txt three")
        await settled(engine)
        await engine.workspaces.apply(runs["good"].id, ApplyMode.EDITS)
        again = await engine.find(runs["good"].id)
        assert (again.status, again.attempt, again.is_applied) == (Status.SUCCEEDED, 3, True)
    source = earlier.home.parent / "source"
    assert (source / "c.txt").read_text() == "three\n"


async def test_its_runs_come_back_without_its_database(earlier: Paths) -> None:
    earlier.database.unlink()
    done = await recover(earlier)
    assert done.runs == 3, "the one that waited had no folder yet"
    async with Engine.open(earlier, follow=False) as engine:
        statuses = sorted(run.status for run in await engine.runs())
        assert statuses == [Status.FAILED, Status.INTERRUPTED, Status.SUCCEEDED]
