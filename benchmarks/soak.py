"""`make soak`: an hour of the dashboard with 50 runs; what it holds has to stay as it is.

`python -m benchmarks.soak --minutes 5` is the short form. Somebody uses it meanwhile: a key a
second. The first fifth of the time is for warming up; what comes after is compared with the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import mean

from benchmarks.dashboard.terminal import Terminal

KEYS = (b"j", b"j", b"k", b"l", b"k", b"j", b"\x1b", b"j", b"f", b"\x1b", b"s", b"b", b"b", b"g")
ROWS = 20
"""Lines of the table, whatever the time."""
FLAT = 1.15
"""Largest ratio of the end to the state after warming up that counts as flat."""
SLACK = {"memory": 5.0, "files": 8, "threads": 3, "tasks": 12}
"""Differences that mean nothing, however small the figures: a moment more or less at work."""


@dataclass(frozen=True, slots=True)
class Sample:
    """State of the dashboard at a moment; memory and database in MiB."""

    minute: float
    memory: float
    files: int
    threads: int
    tasks: int
    database: float
    live: int
    runs: int
    events: int
    cpu: float
    """The share of a processor since the sample before."""

    @property
    def event_bytes(self) -> float:
        """The bytes of an event in the database, all that belongs to runs included."""
        return self.database * 2**20 / max(1, self.events)


def main() -> int:
    """Soak, print the table, and return 1 where something grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--runs", type=int, default=50)
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        samples = _soak(home, asked.minutes, asked.runs)
        print(_table(samples))
        grown = _grown(samples)
        print("Grown: " + ", ".join(grown) if grown else "Flat; the database grew with its runs.")
    finally:
        asyncio.run(_end_all(home))
        shutil.rmtree(home, ignore_errors=True)
    return 1 if grown else 0


def _soak(home: Path, minutes: float, runs: int) -> list[Sample]:
    words = ["-m", "benchmarks.dashboard.soak_face", str(home), str(runs)]
    samples: list[Sample] = []
    keys = cycle(KEYS)
    with Terminal([sys.executable, *words]) as terminal:
        terminal.until(rb"Soak 0")
        began = time.monotonic()
        every = minutes * 60 / ROWS
        cpu, due = terminal.cpu_s(), began + every
        while (now := time.monotonic()) < began + minutes * 60 + 1:
            terminal.type(next(keys))
            terminal.drain(1.0)
            if now >= due:
                spent = terminal.cpu_s()
                samples.append(_sample(terminal, home, (now - began) / 60, (spent - cpu) / every))
                cpu, due = spent, due + every
    return samples


def _sample(terminal: Terminal, home: Path, minute: float, cpu: float) -> Sample:
    told = json.loads((home / "soak.jsonl").read_text().splitlines()[-1])
    files = sum(1 for _ in Path(f"/proc/{terminal.process.pid}/fd").iterdir())
    database = sum(path.stat().st_size for path in home.glob("swarm.db*")) / 2**20
    return Sample(
        minute=minute,
        memory=terminal.rss_bytes() / 2**20,
        files=files,
        database=database,
        cpu=cpu,
        **{name: told[name] for name in ("threads", "tasks", "live", "runs", "events")},
    )


async def _end_all(home: Path) -> None:
    """Leave no agent behind."""
    from engine.config.paths import Paths
    from engine.config.settings import Config
    from engine.domain.errors import UserError
    from engine.engine import Engine

    paths = Paths(home, home / "config.yaml")
    async with Engine.open(paths, Config(grace_s=0.5), supervise=True) as engine:
        for run in list(engine.view.live):
            with suppress(UserError):  # it has ended by itself meanwhile
                await engine.cancel(run, kill=True)
        await engine.settle()


def _table(samples: list[Sample]) -> str:
    lines = [
        "| minute | memory | files | threads | tasks | database | an event | live | runs | events "
        "| processor |",
        "|" + "---:|" * 11,
    ]
    lines += [
        f"| {one.minute:.1f} | {one.memory:.1f} MiB | {one.files} | {one.threads} | {one.tasks} "
        f"| {one.database:.1f} MiB | {one.event_bytes:.0f} B | {one.live} | {one.runs} "
        f"| {one.events} | {one.cpu:.0%} |"
        for one in samples
    ]
    return "\n".join(lines)


def _grown(samples: list[Sample]) -> list[str]:
    """Name what is more at the end than after warming up."""
    fifth = max(1, len(samples) // 5)
    early, late = samples[fifth : 2 * fifth], samples[-fifth:]
    grown: list[str] = []
    for name in ("memory", "files", "threads", "tasks", "event_bytes"):
        before, after = (mean(getattr(one, name) for one in part) for part in (early, late))
        if after > FLAT * before and after - before > SLACK.get(name, 0):
            grown.append(f"{name} {before:.1f} → {after:.1f}")
    return grown


def _end(*_: object) -> None:
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
