"""Usage of session files that another program has written: 50,000 of them, and a few new ones."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from benchmarks.row import Bench, Round, Row, alternating

if TYPE_CHECKING:
    from engine.usage.other_sessions import OtherSessions

FILES, QUICK_FILES = 50_000, 2_000
FIRST = 1_767_225_600
EVERY_S = 600
NEW = 5
REQUESTS = 3
BEAT_S = 0.002
_SOURCE = "engine.agents.codex.session_files"
_PLAIN = """
import json, os, sys
os.nice(10)
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            for line in file:
                if b"token_" in line:
                    json.loads(line)
"""


def _sessions(top: Path, count: int, first: int = 0) -> Path:
    """Write so many sessions of three requests, one every ten minutes."""
    chance = random.Random(first)
    for number in range(first, first + count):
        at = FIRST + number * EVERY_S
        moment = time.gmtime(at)
        thread = str(
            uuid.UUID(int=(at * 1000 << 80) | (7 << 76) | (2 << 62) | chance.getrandbits(62))
        )
        folder = top / "sessions" / time.strftime("%Y/%m/%d", moment)
        folder.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", moment)
        lines = (
            json.dumps({"timestamp": stamp, "type": kind, "payload": payload})
            for kind, payload in _lines(thread, number)
        )
        path = folder / f"rollout-{stamp[:19].replace(':', '-')}-{thread}.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines))
        os.utime(path, (at, at))
    return top


def _lines(thread: str, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "session_meta", {"id": thread, "session_id": thread, "cwd": f"/src/part-{number % 20}"}
    yield "turn_context", {"model": "gpt-5.5", "turn_id": thread}
    for request in range(1, REQUESTS + 1):
        yield "response_item", {"type": "message", "content": "x" * 600}
        used = {"input_tokens": 1000, "cached_input_tokens": 200, "output_tokens": 50}
        total = {name: value * request for name, value in used.items()}
        record = {"thread_id": thread, "response_id": f"resp_{number}_{request}", "usage": used}
        yield "token_usage_record", {**record, "thread_token_usage": total}
        info = {"total_token_usage": total, "last_token_usage": used}
        yield "event_msg", {"type": "token_count", "info": info, "rate_limits": None}


@asynccontextmanager
async def _reader(home: Path, sessions: Path) -> AsyncGenerator[OtherSessions]:
    from engine.config.paths import Paths
    from engine.store.store import open_store
    from engine.usage.other_sessions import OtherSessions
    from engine.usage.session_request import SessionHome

    paths = Paths(home, home / "config.yaml")
    paths.prepare()
    homes = [SessionHome("default", os.fsencode(sessions), _SOURCE)]
    async with open_store(paths.database, is_new=True) as store:
        yield OtherSessions(paths, store.sessions, lambda: homes)


async def _read(home: Path, sessions: Path, count: int) -> float:
    """Return how long a pass takes that finds so many files."""
    async with _reader(home, sessions) as reader:
        began = time.perf_counter()
        await reader.read()
        took = time.perf_counter() - began
        progress = await reader.progress()
    assert (progress.read, progress.problem) == (count, ""), progress
    return took


@contextmanager
def _first(bench: Bench) -> Generator[Round]:
    count = bench.size(FILES, QUICK_FILES)
    sessions = bench.shared("sessions", lambda folder: _sessions(folder, count))

    def plain() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _PLAIN, sessions], check=True)
        return time.perf_counter() - began

    plain()  # the system knows the files from now on
    yield alternating(lambda: asyncio.run(_read(bench.folder(), sessions, count)), plain)


@contextmanager
def _latency(bench: Bench) -> Generator[Round]:
    count = bench.size(FILES, QUICK_FILES)
    sessions = bench.shared("sessions", lambda folder: _sessions(folder, count))

    async def late(seconds: float | None) -> float:
        """Return the p99 of how late the loop is, during a read or for some seconds."""
        async with _reader(bench.folder(), sessions) as reader:
            work = asyncio.sleep(seconds) if seconds else reader.read()
            task, found = asyncio.ensure_future(work), [0.0, 0.0]
            while not task.done():
                due = time.perf_counter() + BEAT_S
                await asyncio.sleep(BEAT_S)
                found.append(time.perf_counter() - due)
            await task
        return quantiles(found, n=100, method="inclusive")[98]

    seconds = bench.size(10.0, 2.0)
    yield alternating(lambda: asyncio.run(late(None)), lambda: asyncio.run(late(seconds)))


@contextmanager
def _later(bench: Bench) -> Generator[Round]:
    count = bench.size(FILES, QUICK_FILES)
    home, sessions, rounds = bench.folder(), bench.folder(), 0
    shared = bench.shared("sessions", lambda folder: _sessions(folder, count))
    shutil.copytree(shared, sessions, dirs_exist_ok=True)
    asyncio.run(_read(home, sessions, count))

    def ours() -> float:
        nonlocal rounds
        rounds += 1
        _sessions(sessions, NEW, count + rounds * NEW)
        return asyncio.run(_read(home, sessions, NEW))

    def alone() -> float:
        few = _sessions(bench.folder(), NEW, count)
        return asyncio.run(_read(bench.folder(), few, NEW))

    yield alternating(ours, alone)


ROWS = [
    Row(
        name="usage.sessions.first",
        what="first read of 50,000 session files",
        quick_what="first read of 2,000 session files",
        yardstick="all read and decoded by plain Python, nothing stored",
        target=4.0,
        aim=2.5,
        rounds=_first,
        times=3,
        note="both at low priority. Ours stores each file, thread and slot, and waits for it.",
    ),
    Row(
        name="usage.sessions.latency",
        what="lateness of the loop that stores them, p99, meanwhile",
        yardstick="the same loop at rest",
        target=8.0,
        aim=4.0,
        rounds=_latency,
        times=3,
        quick=False,
        note="at rest it is a tenth of a millisecond; the reader works on the same processors.",
    ),
    Row(
        name="usage.sessions.later",
        what="later read: 5 new session files beside 50,000 known ones",
        quick_what="later read: 5 new session files beside 2,000 known ones",
        yardstick="the same 5 files alone",
        target=1.5,
        aim=1.2,
        rounds=_later,
        times=5,
    ),
]
