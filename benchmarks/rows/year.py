"""A home after a year: the same work with many ended runs and events, and with few.

Both homes have the same number of workspaces that still stand.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.dashboard.load import title
from benchmarks.dashboard.terminal import Terminal, environment
from benchmarks.row import Bench, Round, Row, alternating
from benchmarks.rows.dashboard import CURSOR, SETTLED_S
from benchmarks.rows.starting import COMMAND
from benchmarks.year import NEEDLE, YearSize, fill

if TYPE_CHECKING:
    from engine.engine import Engine

FEW = 500
WORKSPACES = 200
TIMES = 3
KEYS = 30
FILTERS = (b"t", b"a", b"s", b"k", b"-", b"0")
"""Keys of a filter that nearly all runs meet at first."""

Work = Callable[["Engine"], Awaitable[object]]
Measurement = Callable[[Path, int], float]


def _many(bench: Bench) -> int:
    return bench.size(50_000, 5000)


def _home(bench: Bench, runs: int) -> Path:
    def filled(folder: Path) -> Path:
        events = runs * bench.size(40, 10)
        fill(folder, YearSize(runs, events, WORKSPACES))
        return folder

    return bench.shared(f"year-{runs}", filled)


def _settings(home: Path) -> dict[str, str]:
    return {"SWARM_HOME": str(home), "SWARM_CONFIG": str(home / "config.yaml")}


def _rounds(of: Measurement) -> Callable[[Bench], Generator[Round]]:
    """Return the rounds of what is measured in a home with so many runs."""

    def rounds(bench: Bench) -> Generator[Round]:
        homes = {runs: _home(bench, runs) for runs in (_many(bench), FEW)}

        def at(runs: int) -> float:
            return of(homes[runs], runs)

        yield alternating(partial(at, _many(bench)), partial(at, FEW))

    return rounds


def _open(home: Path) -> Terminal:
    return Terminal([COMMAND], _settings(home))


def _seen(home: Path, runs: int) -> float:
    def once() -> float:
        with _open(home) as terminal:
            return terminal.until(title(runs - 1).encode()) - terminal.began

    return median(once() for _ in range(TIMES))


def _memory(home: Path, runs: int) -> float:
    with _open(home) as terminal:
        terminal.until(title(runs - 1).encode())
        terminal.drain(SETTLED_S)
        return terminal.rss_bytes() / 2**20


def _typed(home: Path, runs: int) -> float:
    with _open(home) as terminal:
        terminal.until(title(runs - 1).encode())
        terminal.drain(SETTLED_S)
        terminal.key(b"/", b"word")
        took: list[float] = []
        for place, key in enumerate(FILTERS, 1):
            text = b"".join(FILTERS[:place])
            took.append(terminal.key(key, b"/" + text))
            terminal.drain(0.3)
        return median(took)


def _keyed(home: Path, runs: int) -> float:
    with _open(home) as terminal:
        terminal.until(title(runs - 1).encode())
        terminal.drain(SETTLED_S)
        took: list[float] = []
        for _ in range(KEYS):
            took.append(terminal.key(b"\x1b[B", CURSOR + rb"(?:(?!Task-).){0,700}?Task-"))
            terminal.drain(0.2)
        return median(took)


def _command(*words: str) -> Measurement:
    """Return the measurement of a command; `doctor` may find something, and exit with 1."""

    def once(home: Path) -> float:
        began = time.perf_counter()
        env = environment(_settings(home))
        done = subprocess.run([COMMAND, *words], env=env, stdout=subprocess.DEVNULL)
        if done.returncode > 1:
            raise RuntimeError(f"{words} ended with {done.returncode}")
        return time.perf_counter() - began

    return lambda home, _: median(once(home) for _ in range(TIMES))


def _done(work: Work) -> Measurement:
    """Return a measurement of work of an engine that is open, and follows nothing."""

    async def measured(home: Path) -> float:
        from engine.config.paths import Paths
        from engine.config.settings import Config
        from engine.engine import Engine

        took: list[float] = []
        async with Engine.open(Paths(home, home / "config.yaml"), Config(), follow=False) as engine:
            for _ in range(TIMES + 1):
                began = time.process_time()
                await work(engine)
                took.append(time.process_time() - began)
        return median(took[1:])  # the first one imports

    return lambda home, _: asyncio.run(measured(home))


async def _searched(engine: Engine) -> object:
    from engine.domain.search import SearchWord

    store = engine._store  # pyright: ignore[reportPrivateUsage]  measured by itself
    return [await store.search([SearchWord(word, True)], limit=50) for word in (NEEDLE, "pytest")]


async def _planned(engine: Engine) -> object:
    from engine.engine import CleanupFilter

    return await engine.disk.plan(CleanupFilter(older_than_s=3600))


async def _counted(engine: Engine) -> object:
    from engine.domain.usage import UsageGroup, UsageQuery

    return await engine.usage.report(UsageQuery(by=UsageGroup.DAY, since=time.time() - 7 * 86_400))


def _row(
    name: str,
    what: str,
    target: float,
    aim: float,
    of: Measurement,
    *,
    unit: str = "s",
    quick: bool = True,
) -> Row:
    return Row(
        f"year.{name}",
        f"{what}, 50,000 ended runs",
        f"{FEW} ended runs",
        quick_what=f"{what}, 5,000 ended runs",
        target=target,
        aim=aim,
        rounds=contextmanager(_rounds(of)),
        unit=unit,
        times=3,
        quick_times=1,
        quick=quick,
    )


ROWS = [
    _row("list", "the runs are on the screen", 3.0, 1.2, _seen),
    _row("memory", "memory of the dashboard", 2.2, 1.2, _memory, unit="MiB", quick=False),
    _row("filter", "key typed into the filter → the list", 20.0, 2.0, _typed, quick=False),
    _row("key", "key → the cursor on another run", 1.5, 1.1, _keyed, quick=False),
    _row("ls", "`ls`", 1.5, 1.1, _command("ls")),
    _row("du", f"`du` over {WORKSPACES} workspaces", 10.0, 1.1, _command("du"), quick=False),
    _row(
        "doctor",
        "`doctor`, which reads all of the database",
        60.0,
        1.1,
        _command("doctor"),
        quick=False,
    ),
    _row("search", "search of the history", 3.0, 1.2, _done(_searched)),
    _row("plan", f"plan over {WORKSPACES} workspaces", 3.0, 1.2, _done(_planned), quick=False),
    _row("usage", "usage of the last seven days", 10.0, 2.0, _done(_counted)),
]
