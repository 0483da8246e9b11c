"""The real command in processes of its own, on the test's throw-away home."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from engine.paths import Paths

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(ROOT / "swarm_tui.py")]
PATIENCE_S = 60


class Result:
    """What a finished command left behind."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Swarm = Callable[..., Result]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder in which commands are typed."""
    folder = tmp_path / "garden"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _nobody_stays_behind(paths: Paths) -> Iterator[None]:
    """End what a test left in the background."""
    yield
    if paths.database.exists() and _live(paths):
        for words in (["cancel", "--all", "--kill"], ["wait", "--all"]):
            subprocess.run([*COMMAND, *words], capture_output=True, timeout=PATIENCE_S)
        with paths.lock.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # free when nobody has anything left to do
        assert not _live(paths)


def _live(paths: Paths) -> int:
    ended = "('succeeded', 'failed', 'cancelled', 'interrupted')"
    with closing(sqlite3.connect(paths.database)) as database:
        query = f"SELECT count(*) FROM runs WHERE status NOT IN {ended}"
        return database.execute(query).fetchone()[0]


@pytest.fixture
def swarm(here: Path) -> Swarm:
    """Run a command to its end."""

    def run(*words: str, stdin: bytes = b"", cwd: Path = here, **env: str) -> Result:
        done = subprocess.run(
            [*COMMAND, *words],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env={**os.environ, **env},
            timeout=PATIENCE_S,
        )
        return Result(done)

    return run


@pytest.fixture
def simulated(swarm: Swarm) -> Swarm:
    """Run a simulated agent, in an empty folder, to its end."""

    def run(prompt: str, *words: str, **options: Any) -> Result:
        return swarm("run", "--empty", "--agent", "simulated", *words, prompt, **options)

    return run


@pytest.fixture
def detached(swarm: Swarm) -> Callable[..., str]:
    """Start a simulated agent in the background and give the run's id."""

    def run(prompt: str, *words: str) -> str:
        done = swarm("run", "--empty", "--agent", "simulated", "--detach", *words, prompt)
        assert (done.code, done.err) == (0, "")
        return done.out.strip()

    return run


Detacher = Callable[..., str]


class Started:
    """A command that is still running; its JSON lines are read as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    def until(self, **wanted: Any) -> dict[str, Any]:
        """Read on until an event has all the fields that are wanted."""
        assert self.process.stdout
        for line in self.process.stdout:
            event = json.loads(line)
            self.events.append(event)
            if wanted.items() <= event.items():
                return event
        raise AssertionError(f"it ended before {wanted}: {self.events}")

    def interrupt(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Read the rest and give the exit code."""
        assert self.process.stdout
        self.events += [json.loads(line) for line in self.process.stdout]
        return self.process.wait(PATIENCE_S)

    def lines(self) -> Iterator[str]:
        """Give the lines of a command that writes no JSON."""
        assert self.process.stdout
        yield from (line.decode().rstrip("\n") for line in self.process.stdout)


Starter = Callable[..., Started]


@pytest.fixture
def start(here: Path) -> Iterator[Starter]:
    """Start a command, with `--json` unless told otherwise, and leave it running."""
    with ExitStack() as stack:

        def begin(*words: str, as_json: bool = True) -> Started:
            process = subprocess.Popen(
                [*COMMAND, *words, *(["--json"] if as_json else [])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=here,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return Started(process)

        yield begin
