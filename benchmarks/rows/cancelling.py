"""Many runs cancelled at once, against nothing but the signals."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fleet import end, fake_codex, supervising, until_at_work
from benchmarks.row import Bench, Round, Row

LIMIT_S = 60.0
# As an agent at work: it, a command it started, and a process of that one.
_WORK = "sh -c 'sleep 600 & sleep 600; :' & sleep 600"


@contextmanager
def _rounds(bench: Bench) -> Iterator[Round]:
    count = bench.size(200, 30)

    def round_() -> tuple[float, float]:
        return asyncio.run(_ours(bench.folder(), count)), _bare(count)

    yield round_


async def _ours(folder: Path, count: int) -> float:
    """Return how long, in seconds, from the call until the last process is gone."""
    from engine.config.paths import Paths

    paths = Paths(folder / "home", folder / "config.yaml")
    codex = fake_codex(folder, f"{_WORK}")
    try:
        async with supervising(paths, count, codex) as engine:
            await until_at_work(engine, count)
            await asyncio.sleep(2)
            pids = _of_home(paths.home)
            began = time.perf_counter()
            await engine.cancel_all(list(engine.view.live))
            while _alive(pids):  # noqa: ASYNC110  the system reports no end of other processes
                await asyncio.sleep(0.002)
            return time.perf_counter() - began
    finally:
        end(paths)


def _of_home(home: Path) -> list[int]:
    from engine.execution.local.process_marks import marks

    top = os.path.realpath(home)
    return [pid for mark, pids in marks().items() if mark.startswith(top) for pid in pids]


def _bare(count: int) -> float:
    processes = [
        subprocess.Popen(
            ["/bin/sh", "-c", f"trap : TERM; {_WORK}"],
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(count)
    ]
    time.sleep(1)
    pids = [pid for one in processes for pid in _session(one.pid)]
    began = time.perf_counter()
    for one in processes:
        os.killpg(one.pid, signal.SIGTERM)
    while _alive(pids):
        for one in processes:
            one.poll()
        time.sleep(0.002)
    return time.perf_counter() - began


def _session(leader: int) -> list[int]:
    """Return a process and all below it."""
    found = [leader]
    for pid in found:
        try:
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue
    return found


def _alive(pids: list[int]) -> bool:
    """Return whether any is alive; those that are forget those that are not."""
    while pids:
        try:
            state = Path(f"/proc/{pids[-1]}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            state = "Z"
        if state not in "ZX":
            return True
        pids.pop()
    return False


ROWS = [
    Row(
        name="engine.cancel",
        what="cancel 200 runs until the last process, grandchildren included, is gone",
        quick_what="cancel 30 runs until the last process, grandchildren included, is gone",
        yardstick="bare `killpg` of the same",
        target=5,
        aim=1.5,
        rounds=_rounds,
        times=3,
    )
]
