"""A home after a year, made at once: `python -m benchmarks.year HOME [--runs N] [--events N] …`.

Rows are written as the store writes them, in statements for many: 50,000 runs with 20 million
events take a few minutes. Folders are small: each has a file or two.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from benchmarks.dashboard.load import bodies, title
from engine.domain.events import (
    Body,
    ChangesMeasured,
    Event,
    Progressed,
    StatusChanged,
    Step,
    UsageCounted,
)
from engine.domain.model import (
    Applied,
    Run,
    RunSpec,
    Stage,
    Status,
    Workspace,
    WorkspaceKind,
    WorkspaceSpec,
)
from engine.domain.projection import fold
from engine.domain.usage import SLOT_S
from engine.execution import run_records
from engine.store import codec
from engine.store.ids import new_id
from engine.store.store import open_store

YEAR_S = 365 * 86_400.0
SHAPES = 36
"""Runs that differ in more than their times and names: the others repeat them."""
PROMPT = "fix the defect there, and add a test that fails without the change. " * 6
STATUSES = (*[Status.SUCCEEDED] * 7, Status.FAILED, Status.CANCELLED)
RECENT = 90
"""The latest runs, about which the user has not decided yet."""
NEEDLE = "quetzalcoatl"
"""A word that the text of a few runs has: every thousandth."""
_RUN = """INSERT INTO runs (id, project, batch, status, last_seq, spec, state)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_SLOT = """INSERT INTO usage_slots (run, slot, model, account, project, input, cached, output,
    reasoning, requests, seconds) VALUES (?, ?, ?, 'default', ?, ?, ?, ?, ?, ?, ?)"""
_EVENTS = """INSERT INTO events (run, seq, at, attempt, type, data)
    SELECT m.key, s.seq, m.at + s.seq * 0.5, 1, s.type, s.data FROM made m
    JOIN shapes s ON s.shape = m.shape WHERE m.key BETWEEN ? AND ? ORDER BY m.key, s.seq"""
AT_ONCE = 500
"""Runs whose events are written in one statement."""


@dataclass(frozen=True, slots=True)
class YearSize:
    """The extent of a home: runs, events of all of them, and folders."""

    runs: int
    events: int
    workspaces: int = 0
    """The latest runs that still have their workspace; the others' were deleted."""
    has_files: bool = False
    """True to make the own folder of each run, too."""
    is_indexed: bool = True
    """True to take all of the text into the index of the history."""


@dataclass(frozen=True, slots=True)
class _Shape:
    run: Run
    rows: list[tuple[int, str, str]]
    """The events: number, type, data."""


def fill(home: Path, size: YearSize) -> None:
    """Make a home of this size; the last run ended an hour ago."""
    asyncio.run(_prepare(home))
    shapes = [_shape(number, size.events // max(1, size.runs)) for number in range(SHAPES)]
    with closing(sqlite3.connect(home / "swarm.db", isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = -200000")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TEMP TABLE shapes (shape, seq, type, data)")
        db.execute("CREATE TEMP TABLE made (key INTEGER PRIMARY KEY, shape, at)")
        db.execute("CREATE INDEX temp.shapes_shape ON shapes (shape, seq)")
        for number, shape in enumerate(shapes):
            rows = [(number, *row) for row in shape.rows]
            db.executemany("INSERT INTO shapes VALUES (?, ?, ?, ?)", rows)
        db.execute("BEGIN")
        _add_runs(db, home, size, shapes)
        db.execute("COMMIT")
        for first in range(1, size.runs + 1, AT_ONCE):
            db.execute(_EVENTS, (first, first + AT_ONCE - 1))
        if size.is_indexed:
            _index(db)
        db.execute("PRAGMA analysis_limit = 1000")
        db.execute("ANALYZE")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _prepare(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with open_store(home / "swarm.db"):
        pass


def _shape(number: int, events: int) -> _Shape:
    """Return an ended run of about so many events, and their rows."""
    kind = WorkspaceKind.COPY if number % 3 else WorkspaceKind.EMPTY
    batch = f"batch-{number % 5}" if number % 4 == 0 else None
    project, model = f"project-{number % 12}", ("gpt-5", "o3", "o4-mini")[number % 3]
    workspace = WorkspaceSpec(kind, "/" if kind is WorkspaceKind.COPY else None)
    spec = RunSpec(PROMPT, "", project, workspace=workspace, model=model, batch=batch)
    done = list(_done(number, max(7, events)))
    run = Run("", spec, 0.0)
    known = [Event("", seq, seq * 0.5, 1, body) for seq, body in enumerate(done, 1)]
    rows = [(seq, body.type, codec.body_text(body)) for seq, body in enumerate(done, 1)]
    return _Shape(fold(run, known), rows)


def _done(number: int, events: int) -> Iterator[Body]:
    status = STATUSES[number % len(STATUSES)]
    used = 20_000 * (number + 1)
    yield StatusChanged(Status.QUEUED)
    yield StatusChanged(Status.PREPARING)
    yield Progressed(Stage.EXECUTING, "executing", 30)
    yield StatusChanged(Status.RUNNING)
    left = events - 7
    yield from islice(bodies(number), min(12, left))
    for each in range(left - 12):
        yield Step("tool", "command", "completed", f"make {each}", command=f"make {each}")
    yield ChangesMeasured(3, 40 + number, number)
    yield UsageCounted(used, used // 2, used // 10, 272_000, requests=20)
    yield StatusChanged(status, exit_code=0 if status is Status.SUCCEEDED else 1)


def _add_runs(db: sqlite3.Connection, home: Path, size: YearSize, shapes: list[_Shape]) -> None:
    newest, now = None, time.time() - 3600
    for number in range(size.runs):
        at = now - YEAR_S * (size.runs - 1 - number) / size.runs
        shape = shapes[number % SHAPES]
        newest = new_id(at, newest)
        has_workspace = number >= size.runs - size.workspaces
        run = _made(shape.run, newest, number, at)
        run.in_trash = not has_workspace
        if number < size.runs - RECENT:  # the user has decided about it
            run.is_dismissed = run.status is not Status.SUCCEEDED
            run.applied = Applied("edits", "/", 3, 1, run.last_event_at)
        folder = home / "workspaces" / run.spec.project / run.id
        run.workspace = run.workspace and replace(run.workspace, path=str(folder))
        _add_run(db, run, number % SHAPES, at)
        if has_workspace:
            _make_workspace(folder)
        if size.has_files:
            _make_files(home, run)


def _made(known: Run, run_id: str, number: int, at: float) -> Run:
    """Return a run like another one, under its own name and at its own time."""
    run = copy(known)
    word = f"{NEEDLE} " if number % 1000 == 7 else ""
    run.spec = replace(
        known.spec, title=title(number), prompt=f"{title(number)}: {word}{known.spec.prompt}"
    )
    run.id, run.created_at = run_id, at
    run.queued_at = run.started_at = run.doing_since = at
    run.finished_at = run.last_event_at = run.last_sign_at = at + 0.5 * known.seq
    run.workspace = Workspace("", known.spec.workspace.kind)
    run.checkpoint, run.baseline = 1, True
    return run


def _add_run(db: sqlite3.Connection, run: Run, shape: int, at: float) -> None:
    spec, state = codec.spec_text(run.spec), codec.state_text(run)
    values = (run.id, run.spec.project, run.spec.batch, run.status, run.seq, spec, state)
    key = db.execute(_RUN, values).lastrowid
    db.execute("INSERT INTO made VALUES (?, ?, ?)", (key, shape, at))
    db.execute("INSERT INTO attempts (run, n, cursor) VALUES (?, 1, '{}')", (key,))
    used = run.usage
    figures = (used.input, used.cached, used.output, used.reasoning, used.requests, 0.5 * run.seq)
    slot, project = int(at) // SLOT_S, run.spec.project
    db.execute(_SLOT, (run.id, slot, run.spec.model, project, *figures))


def _make_workspace(folder: Path) -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "README.md").write_text("A workspace.\n")
    (folder / "src" / "main.py").write_text("print('done')\n")


def _make_files(home: Path, run: Run) -> None:
    attempt = home / "runs" / run.id / "attempt-1"
    attempt.mkdir(parents=True)
    (attempt / "exit").write_text("0")
    record: dict[str, object] = {
        "format": run_records.FORMAT,
        "spec": json.loads(codec.spec_text(run.spec)),
        "state": json.loads(codec.state_text(run)),
        "asks": dict[str, str](),
    }
    path = attempt.parent / "run.json"
    path.write_text(json.dumps(record))
    os.utime(path, (run.last_event_at, run.last_event_at))


def _index(db: sqlite3.Connection) -> None:
    """Take all text into the index of the history, as `search.index_slice` does bit by bit."""
    for name, key, index, view in (
        ("runs", "key", "search_prompts", "prompts"),
        ("events", "id", "search_events", "said"),
    ):
        db.execute(f"INSERT INTO {index} (rowid, said) SELECT {key}, said FROM {view}")
        last = db.execute(f"SELECT coalesce(max({key}), 0) FROM {name}").fetchone()[0]
        db.execute("UPDATE search_places SET upto = ? WHERE name = ?", (last, name))


def main() -> None:
    """Make a home as the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--workspaces", type=int, default=1000)
    parser.add_argument("--files", action="store_true", help="make the folder of each run, too")
    parser.add_argument("--no-index", action="store_true", help="leave the history unindexed")
    asked = parser.parse_args()
    size = YearSize(asked.runs, asked.events, asked.workspaces, asked.files, not asked.no_index)
    began = time.perf_counter()
    fill(asked.home, size)
    print(f"{asked.home}: {size} in {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
