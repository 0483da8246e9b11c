"""`make soak`: an hour of the dashboard with 50 runs; what it holds has to stay as it is.

`python -m benchmarks.soak --minutes 5` is the short form. Somebody uses it meanwhile: a key a
second, which opens the disk screen, searches the history and filters the list. Agents are killed,
runs cancelled and retried; the process that supervises at first is killed, and the dashboard takes
over. The first fifth of the time is for warming up; what comes after is compared with the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.dashboard.soak_use import SoakUse
from benchmarks.dashboard.terminal import ROOT, Terminal

FACE = "benchmarks.dashboard.soak_face"
SUPERVISED = 1 / 20
"""Share of the time after which the process that supervises at first is killed."""
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
    log: float
    """The size of the log file in KiB."""
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
    done: Counter[str] = Counter()
    try:
        samples = _soak(home, asked.minutes * 60, asked.runs, done)
        print(_table(samples))
        print("Done: " + ", ".join(f"{name} {count}" for name, count in sorted(done.items())))
        grown = _grown(samples)
        print("Grown: " + ", ".join(grown) if grown else "Flat; the database grew with its runs.")
    finally:
        asyncio.run(_end_all(home))
        shutil.rmtree(home, ignore_errors=True)
    return 1 if grown else 0


def _soak(home: Path, seconds: float, runs: int, done: Counter[str]) -> list[Sample]:
    samples: list[Sample] = []
    words = [sys.executable, "-m", FACE, str(home), str(runs)]
    with _supervisor(home, runs) as supervisor, Terminal(words) as terminal:
        terminal.until(rb"Soak 0")
        use = SoakUse(terminal, home)
        began = time.monotonic()
        every = seconds / ROWS
        cpu, due = terminal.cpu_s(), every
        while (elapsed := time.monotonic() - began) < seconds + 1:
            use.second(elapsed)
            if elapsed >= SUPERVISED * seconds and supervisor.returncode is None:
                supervisor.kill()
                supervisor.wait()
                use.seen["supervisor killed"] += 1
            if elapsed >= due:
                spent = terminal.cpu_s()
                samples.append(_sample(terminal, home, elapsed / 60, (spent - cpu) / every))
                print(_line(samples[-1]), file=sys.stderr, flush=True)
                cpu, due = spent, due + every
    done.update(use.seen)
    done.update(_told(home)["done"])
    return samples


@contextmanager
def _supervisor(home: Path, runs: int) -> Generator[subprocess.Popen[bytes]]:
    """Start the process that supervises at first, and wait until it does."""
    words = [sys.executable, "-m", FACE, str(home), str(runs), "--supervise"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            if not (process.stdout and process.stdout.readline()):
                raise RuntimeError("nothing supervises")
            yield process
        finally:
            process.kill()


def _told(home: Path) -> dict[str, Any]:
    """Read the last line that is whole."""
    return json.loads((home / "soak.jsonl").read_bytes().rpartition(b"\n")[0].splitlines()[-1])


def _sample(terminal: Terminal, home: Path, minute: float, cpu: float) -> Sample:
    told = _told(home)
    files = sum(1 for _ in Path(f"/proc/{terminal.process.pid}/fd").iterdir())
    log = home / "swarm.log"
    return Sample(
        minute=minute,
        memory=terminal.rss_bytes() / 2**20,
        files=files,
        database=sum(path.stat().st_size for path in home.glob("swarm.db*")) / 2**20,
        log=log.stat().st_size / 2**10 if log.exists() else 0.0,
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
    head = "minute memory files threads tasks database event log live runs events processor"
    names = head.split()
    return "\n".join([_cells(names), "|" + "---:|" * len(names), *map(_line, samples)])


def _line(one: Sample) -> str:
    return _cells(
        [
            f"{one.minute:.1f}",
            f"{one.memory:.1f} MiB",
            f"{one.files}",
            f"{one.threads}",
            f"{one.tasks}",
            f"{one.database:.1f} MiB",
            f"{one.event_bytes:.0f} B",
            f"{one.log:.0f} KiB",
            f"{one.live}",
            f"{one.runs}",
            f"{one.events}",
            f"{one.cpu:.0%}",
        ]
    )


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


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
