"""Changes in many workspaces seen as they happen, against the system's own watch."""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.row import Bench, Relation, Round, Row, Unavailable

RUNS = 100
COPIED = 2000
LIMIT_S = 15.0
_IN_CLOSE_WRITE, _IN_CREATE = 0x8, 0x100


class _Told:
    """In the place of the journal: remembers when each path was told of."""

    def __init__(self) -> None:
        self.at: dict[tuple[str, str], float] = {}

    async def commit(self, entries: Sequence[object]) -> None:
        now = time.perf_counter()
        for entry in entries:
            for body in entry.bodies:  # type: ignore[attr-defined]  an Entry of the store
                for change in getattr(body, "changes", ()):
                    self.at.setdefault((entry.run, change.path), now)  # type: ignore[attr-defined]  known by its kind


@contextmanager
def _latency(bench: Bench) -> Iterator[Round]:
    if sys.platform != "linux":
        raise Unavailable("the yardstick is Linux's inotify")
    writes = bench.size(300, 100)
    yield lambda: (asyncio.run(_ours(bench.folder(), writes)), _raw(bench.folder(), writes))


@contextmanager
def _missed(bench: Bench) -> Iterator[Round]:
    yield lambda: (float(asyncio.run(_copied(bench.folder()))), 0.0)


async def _ours(folder: Path, writes: int) -> float:
    """Return the p99, in seconds, from a write until it is told."""
    told = _Told()
    watching = await _watched(folder, told)
    chance, wrote = random.Random(1), {}
    for n in range(writes):
        run, name = str(chance.randrange(RUNS)), f"written-{n}"
        wrote[run, name] = time.perf_counter()
        (folder / run / "src" / name).write_text("x")
        await asyncio.sleep(0.01)
    wanted = {(run, f"src/{name}"): at for (run, name), at in wrote.items()}
    await _until(lambda: wanted.keys() <= told.at.keys())
    await _end(watching)
    return _p99([told.at[key] - at for key, at in wanted.items()])


async def _copied(folder: Path) -> int:
    """Return how many of the files of a copied folder were not told of."""
    told = _Told()
    source = folder / "source"
    for n in range(COPIED):
        path = source / f"{n % 40}" / f"{n % 200}" / str(n)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    watching = await _watched(folder / "runs", told)
    there = folder / "runs" / "7"
    await asyncio.to_thread(subprocess.run, ["cp", "-r", source, there / "copied"], check=True)
    paths = {str(path.relative_to(there)) for path in (there / "copied").rglob("*")}
    files = {("7", path) for path in paths if (there / path).is_file()}
    assert len(files) == COPIED
    await _until(lambda: files <= told.at.keys())
    await _end(watching)
    return len(files - told.at.keys())


async def _watched(folder: Path, told: _Told) -> asyncio.Task[None]:
    """Watch workspaces, and come back when the watch holds."""
    from engine.execution.local.watcher import WorkspaceWatcher

    watcher = WorkspaceWatcher(told.commit)
    for n in range(RUNS):
        (folder / str(n) / "src").mkdir(parents=True)
        watcher.watch(str(n), str(folder / str(n)))
    watching = asyncio.create_task(watcher.run())
    tries = 0
    while (str(RUNS - 1), f"src/warm-{tries}") not in told.at:
        tries += 1
        (folder / str(RUNS - 1) / "src" / f"warm-{tries}").write_text("x")
        await asyncio.sleep(0.5)
    return watching


async def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds() and time.monotonic() < deadline:  # noqa: ASYNC110  what is missed never comes
        await asyncio.sleep(0.05)


async def _end(watching: asyncio.Task[None]) -> None:
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def _raw(folder: Path, writes: int) -> float:
    """Return the p99, in seconds, from a write until inotify says so."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_CLOEXEC)
    for n in range(RUNS):
        path = folder / str(n) / "src"
        path.mkdir(parents=True)
        libc.inotify_add_watch(handle, os.fsencode(path), _IN_CLOSE_WRITE | _IN_CREATE)
    chance, took = random.Random(1), []
    for n in range(writes):
        began = time.perf_counter()
        (folder / str(chance.randrange(RUNS)) / "src" / f"written-{n}").write_text("x")
        select.select([handle], [], [], 1)
        os.read(handle, 65536)
        took.append(time.perf_counter() - began)
        time.sleep(0.001)
    os.close(handle)
    shutil.rmtree(folder)
    return _p99(took)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99) - 1]


ROWS = [
    Row(
        name="watch.latency",
        what="write in a workspace → event p99, 100 workspaces watched",
        yardstick="raw inotify",
        target=0.1,
        aim=0.01,
        relation=Relation.MORE,
        rounds=_latency,
        times=3,
        note=(
            "the aim is out of reach on purpose: what comes within 50 ms is told as one, so that a "
            "build is no flood of events."
        ),
    ),
    Row(
        name="watch.missed",
        what="files missed after a `cp -r` of 2,000",
        yardstick="none",
        unit="files",
        target=0,
        aim=0,
        relation=Relation.ALONE,
        rounds=_missed,
        times=2,
    ),
]
