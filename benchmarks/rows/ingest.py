"""The way from lines in spool files to stored events, against storing ready-made rows."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.lines import lines
from benchmarks.row import Bench, Round, Row, alternating

if TYPE_CHECKING:
    from engine.execution.follower import FollowedAttempt, OutputFollower
    from engine.execution.journal import Journal
    from engine.store.appending import AppendRequest

RUNS = 20
_SCHEMA = """SELECT sql FROM sqlite_master
    WHERE tbl_name = 'events' AND type IN ('table', 'index') AND sql NOT NULL"""
_COLUMNS = "id, run, seq, at, attempt, type, data"


@contextmanager
def _rounds(bench: Bench) -> Generator[Round]:
    from tui.cli.support.session import collect_garbage

    said = lines(bench.size(2000, 1_000))
    collect_garbage()  # as the command does

    def ours() -> float:
        return asyncio.run(_ingest(bench.folder(), said))

    first = bench.folder()
    asyncio.run(_ingest(first, said))
    with closing(sqlite3.connect(first / "swarm.db")) as db:
        rows = db.execute(f"SELECT {_COLUMNS} FROM events").fetchall()
        schema = [sql for (sql,) in db.execute(_SCHEMA)]
    yield alternating(ours, lambda: _insert(bench.folder(), schema, rows))


async def _ingest(home: Path, said: bytes) -> float:
    """Return how many events are stored a second until all lines of all runs are in.

    That the runs have ended is noticed a tick later, which is none of it.
    """
    from engine.config.paths import Paths
    from engine.domain.projection import View
    from engine.execution.follower import OutputFollower
    from engine.execution.journal import Journal
    from engine.execution.local.executor import LocalExecutor
    from engine.store.store import open_store

    view = View()
    stored_at = 0.0

    async def commit(entries: Sequence[AppendRequest]) -> None:
        nonlocal stored_at
        await journal.append(entries)
        stored_at = time.perf_counter()

    async with open_store(home / "swarm.db") as store:
        journal = Journal(store, view, _ignored, _nothing)
        await journal.load()
        follower = OutputFollower(LocalExecutor(Paths(home, home / "config.yaml")), commit)
        followed = [await _followed(home, said, n, journal, follower) for n in range(RUNS)]
        began = time.perf_counter()
        polling = asyncio.create_task(follower.run())
        for following in followed:
            await following.done
        polling.cancel()
    return sum(run.seq for run in view.runs.values()) / (stored_at - began)


async def _followed(
    home: Path, said: bytes, number: int, journal: Journal, follower: OutputFollower
) -> FollowedAttempt:
    """Follow a run that has said everything and ended."""
    from engine.agents.registry import agent_of
    from engine.config.paths import Paths
    from engine.domain.model import RunSpec
    from engine.execution.local.process import NOBODY, AttemptProcess

    created = await journal.create(RunSpec(f"task {number}", f"run {number}", "bench"))
    (run,) = created.runs
    folder = Paths(home, home / "config.yaml").attempt(run, 1)
    folder.path.mkdir(parents=True)
    folder.stdout.write_bytes(said)
    folder.exit.write_text("0\n")
    agent = agent_of("codex")
    process = AttemptProcess(folder, NOBODY, None)
    return follower.follow(run, process, None, lambda state: agent.reader(state, "/work", home))


def _ignored(*_: object) -> None:
    pass


async def _nothing() -> None:
    pass


def _insert(folder: Path, schema: list[str], rows: list[Any]) -> float:
    """Return how many of the same rows a second SQLite takes, with the same index."""
    with closing(sqlite3.connect(folder / "raw.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        for statement in schema:
            db.execute(statement)
        began = time.perf_counter()
        db.execute("BEGIN IMMEDIATE")
        db.executemany(f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")
        return len(rows) / (time.perf_counter() - began)


ROWS = [
    Row(
        name="store.ingest",
        what="ingest: spool line → event and offset committed",
        yardstick="raw `executemany` of the same rows, indexed, pre-parsed",
        unit="events/s",
        better="higher",
        target=0.5,
        aim=1.0,
        rounds=_rounds,
        note=(
            "lines are translated (3 µs an event) while the transaction before is numbered, "
            "encoded and stored on a thread of its own, in statements of 500 rows, which SQLite "
            "takes in a third of the time of `executemany`. What is left is Python, of which "
            "one thread runs at a time; the aim would take translating and encoding in compiled "
            "code."
        ),
    )
]
