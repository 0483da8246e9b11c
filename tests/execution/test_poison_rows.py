"""Rows of the database that cannot be read: they stop no other run, and are repaired."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path

import faulty
import pytest
from support import LIMIT_S, becomes, played, quick, settled, spec, until

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.domain.model import Status
from engine.engine import Engine
from engine.execution import task_tree
from engine.execution.local import executor

OF_RUN = "(SELECT key FROM runs WHERE id = ?)"
POISON = {
    "state": "UPDATE runs SET state = 'none' WHERE id = ?",
    "empty state": "UPDATE runs SET state = '' WHERE id = ?",
    "binary state": "UPDATE runs SET state = x'ff00' WHERE id = ?",
    "cursor": f"UPDATE attempts SET cursor = '[' WHERE run = {OF_RUN}",
    "request": f"UPDATE attempts SET ask = '[' WHERE run = {OF_RUN}",
    "events": f"UPDATE events SET data = '[' WHERE run = {OF_RUN}",
    "event types": f"UPDATE events SET type = 'unheard-of' WHERE run = {OF_RUN}",
    "no events": f"DELETE FROM events WHERE run = {OF_RUN}",
    "slots": "INSERT OR REPLACE INTO settings SELECT 'slots', 'x' FROM runs WHERE id = ?",
    "pause": "INSERT OR REPLACE INTO settings SELECT 'pause', '{' FROM runs WHERE id = ?",
    "faults": "INSERT OR REPLACE INTO settings SELECT 'faults', '{' FROM runs WHERE id = ?",
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_tree, "BACKOFF", faulty.QUICK)
    monkeypatch.setattr(executor, "LATE_START_S", 0.01)


def poison(paths: Paths, statement: str, run: str) -> None:
    with closing(sqlite3.connect(paths.database, isolation_level=None)) as database:
        database.execute(statement, (run,))


async def _while_it_runs(paths: Paths, statement: str) -> Status:
    async with Engine.open(paths, quick(grace_s=0.1), supervise=True) as engine:
        run = await engine.start(spec("numbered 20 every=0.05", "hang"))
        await until(engine, lambda: engine.view.runs[run.id].seq > 8)
        poison(paths, statement, run.id)
        return await _ended(engine, run.id)


async def _between_two_engines(paths: Paths, statement: str) -> Status:
    async with Engine.open(paths, quick(), supervise=True) as engine:
        run = await engine.start(spec("say hello", "hang"))
        await until(engine, lambda: engine.view.runs[run.id].doing == "thinking")
    poison(paths, statement, run.id)
    async with Engine.open(paths, quick(grace_s=0.1), supervise=True) as engine:
        return await _ended(engine, run.id)


async def _ended(engine: Engine, bad: str) -> Status:
    """Another run goes well; then the poisoned one is cancelled, unless it has ended by now."""
    good = await played(engine, "say hello")
    assert good.status is Status.SUCCEEDED
    await becomes(lambda: engine.view.runs[bad].status in list(Status))
    with suppress(UserError):
        await engine.cancel(bad)
    await settled(engine)
    return engine.view.runs[bad].status


@pytest.mark.parametrize("when", [_while_it_runs, _between_two_engines])
async def test_a_poison_row_stops_no_other_run(
    tmp_path: Path, when: Callable[[Paths, str], Awaitable[Status]]
) -> None:
    async def one(name: str) -> None:
        home = tmp_path / name.replace(" ", "-")
        try:
            async with asyncio.timeout(2 * LIMIT_S):
                status = await when(Paths(home, home / "config.yaml"), POISON[name])
        except TimeoutError:
            raise AssertionError(f"{name}: something hangs") from None
        assert status in (Status.CANCELLED, Status.FAILED), name

    await asyncio.gather(*map(one, POISON))
