"""The dashboard with 200 runs, in a pseudo-terminal: keys, processor time, memory."""

from __future__ import annotations

import asyncio
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from benchmarks.dashboard import load
from benchmarks.dashboard.terminal import Terminal
from benchmarks.row import Bench, Round, Row, alternating

RUNS = 200
SETTLED_S = 3.0
PAGE = 30
"""Keys go down so many runs and up again: the list does not scroll."""

CURSOR = "▌".encode()
STOCK_CURSOR = rb"48;2;1;2;3m[^\x1b]*"
"""The stock app's cursor has a colour of its own."""


def home(bench: Bench, runs: int, *, live: bool) -> Path:
    """Return a home with so many runs."""

    def filled(folder: Path) -> Path:
        asyncio.run(load.fill(folder, runs, live=live))
        return folder

    return bench.shared(f"home-{runs}-{'live' if live else 'done'}", filled)


def show(face: str, folder: Path, *numbers: float) -> Terminal:
    """Start one of the faces; `numbers` are its rate and its rest."""
    words = ["-m", "benchmarks.dashboard.faces", face, str(folder)]
    return Terminal([sys.executable, *words, *map(str, numbers)])


def on_cursor(face: str, number: int) -> bytes:
    """Return what the output has once the cursor is on a run."""
    title = re.escape(load.title(number).encode())
    if face == "stock":
        return STOCK_CURSOR + title
    return CURSOR + rb"(?:(?!Task-).){0,700}?" + title


def press(face: str, folder: Path, rate: float, runs: int, keys: int) -> list[float]:
    """Return how long each of some keys took, from the key to the cursor on another run."""
    took: list[float] = []
    chance, at, step = random.Random(1), runs - 1, 1
    with show(face, folder, rate) as terminal:
        terminal.until(on_cursor(face, at))
        terminal.drain(SETTLED_S)
        for _ in range(keys):
            step = -1 if at == runs - 1 else 1 if at == runs - PAGE else step
            at += step
            keyed = (b"\x1b[B" if step < 0 else b"\x1b[A", on_cursor(face, at))
            took.append(terminal.key(*keyed))
            terminal.drain(chance.uniform(0.05, 0.15))
    return took


def _slowest(took: list[float]) -> float:
    return quantiles(took, n=100, method="inclusive")[98]


def _keys(rate: float, *, stock: bool = False) -> Callable[[Bench], Iterator[Round]]:
    def rounds(bench: Bench) -> Iterator[Round]:
        folder, keys = home(bench, RUNS, live=True), bench.size(200, 30)

        def ours() -> float:
            return _slowest(press("dashboard", folder, rate, RUNS, keys))

        def idle() -> float:
            return _slowest(press("dashboard", folder, 0, RUNS, keys))

        def stocks() -> float:
            return _slowest(press("stock", folder, 1000, RUNS, bench.size(40, 15)))

        yield alternating(ours, stocks if stock else idle)

    return rounds


def _long_list(bench: Bench) -> Iterator[Round]:
    keys = bench.size(100, 40)

    def of(runs: int) -> float:
        return median(press("dashboard", home(bench, runs, live=False), 0, runs, keys))

    yield alternating(lambda: of(5000), lambda: of(50))


def _processor(bench: Bench) -> Iterator[Round]:
    folder, seconds = home(bench, RUNS, live=True), bench.size(10.0, 4.0)

    def of(face: str) -> float:
        with show(face, folder, 10_000) as terminal:
            terminal.until(b"ready" if face == "empty" else b"Task-")
            terminal.drain(SETTLED_S)
            return terminal.cpu_over(seconds)

    yield alternating(lambda: of("dashboard"), lambda: of("empty"))


def _idle(bench: Bench) -> Iterator[Round]:
    folder, seconds = home(bench, RUNS, live=False), bench.size(10.0, 4.0)

    def of(face: str) -> float:
        with show(face, folder) as terminal:
            terminal.until(b"ready" if face == "plain" else b"Task-")
            terminal.drain(SETTLED_S)
            return terminal.cpu_over(seconds)

    yield alternating(lambda: of("dashboard"), lambda: of("plain"))


def _memory(bench: Bench) -> Iterator[Round]:
    folder, rate = home(bench, RUNS, live=True), 50_000

    def both() -> tuple[float, float]:
        with show("dashboard", folder, rate, SETTLED_S) as terminal:
            # What is imported in the first seconds is there whatever happens.
            began = terminal.until(b"Task-") + SETTLED_S
            held: list[float] = []
            for events in (10_000, bench.size(1_000_000, 200_000)):
                terminal.drain(began + events / rate - time.perf_counter())
                held.append(terminal.rss_bytes() / 2**20)
            return held[1], held[0]

    yield both


def _memory_at_rest(bench: Bench) -> Iterator[Round]:
    folder = home(bench, RUNS, live=False)

    def of(face: str) -> float:
        with show(face, folder) as terminal:
            terminal.until(b"ready" if face == "plain" else b"Task-")
            terminal.drain(SETTLED_S)
            return terminal.rss_bytes() / 2**20

    yield alternating(lambda: of("dashboard"), lambda: of("plain"))


_IDLE = "the same, with nothing happening"
ROWS = [
    Row(
        "dashboard.key.10k",
        "key → repaint, p99, 200 live runs, 10,000 events/s",
        _IDLE,
        target=4.0,
        aim=3.0,
        rounds=contextmanager(_keys(10_000)),
        times=3,
        quick=False,  # the 99th percentile of few keys is chance
        note="Events are handed to the view and the bus of the dashboard's own process twenty "
        "times a second, as its followers would; the key is an arrow, its effect the moved cursor.",
    ),
    Row(
        "dashboard.key.50k",
        "key → repaint, p99, 200 live runs, 50,000 events/s",
        _IDLE,
        target=4.0,
        aim=3.0,
        rounds=contextmanager(_keys(50_000)),
        times=3,
        quick=False,
    ),
    Row(
        "dashboard.key.stock",
        "key → repaint, p99, 200 live runs, 10,000 events/s",
        "DataTable and Log at 1,000 events/s",
        target=0.2,
        aim=0.1,
        rounds=contextmanager(_keys(10_000, stock=True)),
        times=3,
        quick=False,
        note="the stock widgets get a tenth of the events and take 180 ms here; the target is from "
        "where they took 560 and more. Ours is bounded by one frame of Textual's compositor; to "
        "halve it, the list and the log would have to be written past it.",
    ),
    Row(
        "dashboard.processor",
        "processor time, 200 live runs, 10,000 events/s",
        "an empty Textual app that reads the same batches",
        target=3.0,
        aim=2.0,
        rounds=contextmanager(_processor),
        times=3,
        quick_times=1,
        note="the yardstick folds and reads the events and paints nothing. Of the rest, two "
        "thirds are painting, three to five times a second in a flood; to do with much less, the "
        "list and the log would have to be written past Textual's compositor.",
    ),
    Row(
        "dashboard.memory",
        "memory after 1,000,000 events",
        "after 10,000",
        quick_what="memory after 200,000 events",
        target=1.3,
        aim=1.1,
        rounds=contextmanager(_memory),
        unit="MiB",
        times=3,
        quick_times=1,
    ),
    Row(
        "dashboard.memory.rest",
        "memory, 200 finished runs, three seconds after the first frame",
        "an empty Textual app",
        target=2.0,
        aim=1.5,
        rounds=contextmanager(_memory_at_rest),
        unit="MiB",
        times=3,
        quick_times=1,
        note="all modules are imported by then, so that an upgrade under an open dashboard takes "
        "nothing from it: about 14 MiB.",
    ),
    Row(
        "dashboard.idle",
        "processor time, 200 finished runs, nothing live",
        "an empty Textual app",
        target=2.0,
        aim=1.2,
        rounds=contextmanager(_idle),
        times=3,
        quick_times=1,
    ),
    Row(
        "dashboard.key.5000",
        "key → repaint, median, 5,000 runs in the list",
        "50 runs in the list",
        target=1.5,
        aim=1.1,
        rounds=contextmanager(_long_list),
        times=3,
        quick=False,
    ),
]
