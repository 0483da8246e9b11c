"""A storm: runs that count, and engines that are killed at random moments until the count is in.

`python tests/chaos/storm.py --kills 200` prints its figures; the test runs a short one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from engine.config.paths import Paths
from engine.config.settings import Config, QueueSettings
from engine.domain.events import Step
from engine.domain.model import Agent, RunSpec, Status
from engine.engine import Engine
from engine.execution.local.process_marks import marks

CONFIG = Config(slots=4, queue=QueueSettings(stagger_s=0.05))
SUPERVISE = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from storm import CONFIG, Paths
from engine.engine import supervise
home = Path(sys.argv[2])
asyncio.run(supervise(Paths(home, home / "config.yaml"), CONFIG))
"""


@dataclass(frozen=True)
class Storm:
    """The result of a storm."""

    kills: int
    runs: int
    numbers: int
    lost: int
    doubled: int
    disordered: int
    gaps: int
    unfinished: int
    left_alive: int
    integrity: str
    seconds: float


def storm(home: Path, *, kills: int, runs: int, numbers: int, seed: int) -> Storm:
    """Queue runs that print numbers, kill the engine `kills` times, let it end, and count."""
    started = time.monotonic()
    chance = random.Random(seed)
    paths = Paths(home, home / "config.yaml")
    asyncio.run(_queue(paths, runs, numbers))
    killed = 0
    while killed < kills:
        engine = start_engine(home)
        try:
            engine.wait(chance.uniform(0.25, 0.9))
            asyncio.run(_queue(paths, 1, numbers))  # nothing was left to do: more of it
        except subprocess.TimeoutExpired:
            engine.send_signal(signal.SIGKILL)
            killed += 1
        engine.wait()
    start_engine(home).wait(timeout=300)
    return asyncio.run(_count(paths, kills, numbers, started))


def start_engine(home: Path) -> subprocess.Popen[bytes]:
    """Start an engine that supervises until nothing is left to do."""
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(Path(__file__).parent), str(home)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


async def _queue(paths: Paths, runs: int, numbers: int) -> None:
    async with Engine.open(paths, CONFIG, follow=False) as engine:
        for n in range(runs):
            prompt = f"sim: numbered {numbers} every=0.01\nsim: say end {n}"
            await engine.start(RunSpec(prompt, f"run {n}", "storm", agent=Agent.SIMULATED))


async def _count(paths: Paths, kills: int, numbers: int, started: float) -> Storm:
    lost = doubled = disordered = gaps = unfinished = 0
    async with Engine.open(paths, CONFIG, follow=False) as engine:
        runs = await engine.runs()
        for run in runs:
            events = await engine.events(run.id)
            gaps += [event.seq for event in events] != list(range(1, len(events) + 1))
            unfinished += not (run.status is Status.SUCCEEDED and run.exit_code == 0)
            said = [e.body.text for e in events if isinstance(e.body, Step)]
            seen = [int(found[1]) for text in said if (found := re.fullmatch(r"n (\d+)", text))]
            times = Counter(seen)
            lost += sum(n not in times for n in range(1, numbers + 1))
            doubled += sum(count - 1 for count in times.values())
            disordered += seen != sorted(seen)
    seconds = time.monotonic() - started
    return Storm(
        kills,
        len(runs),
        numbers * len(runs),
        lost,
        doubled,
        disordered,
        gaps,
        unfinished,
        left_alive(paths),
        integrity(paths),
        round(seconds, 1),
    )


def integrity(paths: Paths) -> str:
    """Return what SQLite finds in the database: `ok`, or what is wrong."""
    with closing(sqlite3.connect(paths.database)) as db:
        return db.execute("PRAGMA integrity_check").fetchone()[0]


def left_alive(paths: Paths) -> int:
    """Count the processes of the home's runs."""
    home = os.path.realpath(paths.home)
    return sum(len(pids) for mark, pids in marks().items() if mark.startswith(home))


def main() -> None:
    """Run a long storm and print what it came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--numbers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    with tempfile.TemporaryDirectory() as home:
        found = storm(
            Path(home) / "home",
            kills=asked.kills,
            runs=asked.runs,
            numbers=asked.numbers,
            seed=asked.seed,
        )
    for name, value in vars(found).items():
        print(f"{name:>12} {value}")
    bad = found.lost + found.doubled + found.disordered + found.gaps
    sys.exit(bool(bad or found.unfinished or found.left_alive or found.integrity != "ok"))


if __name__ == "__main__":
    main()
