"""Time until something is to be seen: the first frame, the dashboard, a list, a large folder."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.dashboard import load
from benchmarks.dashboard.terminal import Terminal, environment
from benchmarks.row import Bench, Round, Row, alternating
from benchmarks.rows.dashboard import SETTLED_S, home, show

COMMAND = str(Path(sys.executable).with_name("swarm-tui"))
FILES = 100_000


def _of_home(folder: Path) -> dict[str, str]:
    return {"SWARM_HOME": str(folder), "SWARM_CONFIG": str(folder / "config.yaml")}


def _times(bench: Bench, once: Callable[[], float]) -> float:
    return median(once() for _ in range(bench.size(9, 3)))


def _sight(command: list[str], env: dict[str, str], wanted: bytes) -> float:
    """Return the seconds until a command has written something."""
    with Terminal(command, env) as terminal:
        return terminal.until(wanted) - terminal.began


def _first_frame(bench: Bench) -> Generator[Round]:
    env = _of_home(home(bench, 500, live=False))

    def nothing() -> float:
        with Terminal([sys.executable, "-c", "pass"]) as terminal:
            return terminal.end() - terminal.began

    def ours() -> float:
        return _sight([COMMAND], env, b"swarm")

    yield alternating(lambda: _times(bench, ours), lambda: _times(bench, nothing))


def _live(bench: Bench) -> Generator[Round]:
    folder = home(bench, 500, live=False)
    plain = [sys.executable, "-m", "benchmarks.dashboard.plain"]

    def ours() -> float:
        return _sight([COMMAND], _of_home(folder), load.title(499).encode())

    def minimal() -> float:
        return _sight(plain, {}, b"ready")

    yield alternating(lambda: _times(bench, ours), lambda: _times(bench, minimal))


def _listing(bench: Bench) -> Generator[Round]:
    env = environment(_of_home(home(bench, 5000, live=False)))

    def of(command: list[str]) -> float:
        began = time.perf_counter()
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    def ours() -> float:
        return of([COMMAND, "ls"])

    def imports() -> float:
        return of([sys.executable, "-c", "import sqlite3, asyncio"])

    yield alternating(lambda: _times(bench, ours), lambda: _times(bench, imports))


def _large_folder(bench: Bench) -> Generator[Round]:
    def made(folder: Path) -> Path:
        files = folder / "files"
        files.mkdir()
        for number in range(FILES):
            (files / f"file-{number:06}.txt").touch()
        asyncio.run(load.fill(folder / "home", 1, live=False, workspace=str(files)))
        asyncio.run(load.fill(folder / "home", 1, live=False))
        return folder

    folder = bench.shared("large-folder", made)

    def ours() -> float:
        with show("dashboard", folder / "home") as terminal:
            terminal.until(b"Task-")
            terminal.drain(SETTLED_S)
            return terminal.key(b"\x1b[B", b"file-000003")

    def stock() -> float:
        with show("plain", folder / "files") as terminal:
            terminal.until(b"ready")
            terminal.drain(1)
            return terminal.key(b"d", b"file-000003")

    yield alternating(ours, stock)


ROWS = [
    Row(
        "start.frame",
        "`swarm-tui`, 500 runs in the store: the first frame",
        "`python -c pass`, to its end",
        target=3.0,
        aim=2.0,
        rounds=contextmanager(_first_frame),
    ),
    Row(
        "start.live",
        "`swarm-tui`, 500 runs in the store: the runs are on the screen",
        "a Textual app of one line",
        target=1.5,
        aim=1.15,
        rounds=contextmanager(_live),
        note="of what it takes more, two fifths are the imports of our own modules, as much "
        "the mounting, styling and painting of some thirty widgets; docs/performance.md says "
        "what of it could still go.",
    ),
    Row(
        "start.ls",
        "`swarm-tui ls`, 5,000 runs in the store",
        '`python -c "import sqlite3, asyncio"`',
        target=4.0,
        aim=2.0,
        rounds=contextmanager(_listing),
    ),
    Row(
        "start.folder",
        "a workspace's folder of 100,000 files on the screen",
        "Textual's DirectoryTree",
        target=0.1,
        aim=0.03,
        rounds=contextmanager(_large_folder),
        times=3,
        quick=False,
    ),
]
