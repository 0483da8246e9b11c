"""The real command in processes of its own, on the test's throw-away home."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from forked import ForkServer
from pseudo import Opener, Terminal
from typed import COMMAND, PATIENCE_S, Result, Started, Starter, Swarm

from engine.config.paths import Paths
from tui.cli.main import run as run_command


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The folder in which commands are typed."""
    folder = tmp_path / "garden"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _nobody_stays_behind(paths: Paths, fork_server: ForkServer, tmp_path: Path) -> Iterator[None]:
    """End what a test left in the background."""
    yield
    if paths.database.exists() and _live(paths):
        for words in (["cancel", "--all", "--kill"], ["wait", "--all"]):
            fork_server.run(words, b"", tmp_path, os.environ)
        with paths.lock.open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # free when nobody has anything left to do
        assert not _live(paths)


def _live(paths: Paths) -> int:
    ended = "('succeeded', 'failed', 'cancelled', 'interrupted')"
    with closing(sqlite3.connect(paths.database)) as database:
        query = f"SELECT count(*) FROM runs WHERE status NOT IN {ended}"
        return database.execute(query).fetchone()[0]


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """The process that becomes the commands of `swarm`."""
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def swarm(here: Path, fork_server: ForkServer) -> Swarm:
    """Run a command to its end, in a process of its own."""

    def run(*words: str, stdin: bytes = b"", cwd: Path = here, **env: str) -> Result:
        environment = {**os.environ, **env}
        if fork_server.can_run(environment):
            return Result(fork_server.run(words, stdin, cwd, environment))
        done = subprocess.run(
            [*COMMAND, *words],
            input=stdin,
            capture_output=True,
            cwd=cwd,
            env=environment,
            timeout=PATIENCE_S,
        )
        return Result(done)

    return run


@pytest.fixture
def inside(capsys: pytest.CaptureFixture[str]) -> Swarm:
    """Run a command in this process, which takes a tenth of the time."""

    def call(*words: str) -> Result:
        capsys.readouterr()
        code = run_command(words)
        out, err = capsys.readouterr()
        return Result(subprocess.CompletedProcess(words, code, out.encode(), err.encode()))

    return call


@pytest.fixture
def simulated(swarm: Swarm) -> Swarm:
    """Run a simulated agent, in an empty folder, to its end."""

    def run(prompt: str, *words: str, **options: Any) -> Result:
        return swarm("run", "--empty", "--agent", "simulated", *words, prompt, **options)

    return run


@pytest.fixture
def detached(swarm: Swarm) -> Callable[..., str]:
    """Start a simulated agent in the background and return the run's id."""

    def run(prompt: str, *words: str) -> str:
        done = swarm("run", "--empty", "--agent", "simulated", "--detach", *words, prompt)
        assert (done.code, done.err) == (0, "")
        return done.out.strip()

    return run


@pytest.fixture
def start(here: Path, tmp_path: Path) -> Iterator[Starter]:
    """Start a command, with `--json` unless told otherwise, and leave it running."""
    numbers = count(1)
    with ExitStack() as stack:

        def begin(*words: str, as_json: bool = True) -> Started:
            errors = tmp_path / f"stderr-{next(numbers)}.txt"
            with errors.open("wb") as file:
                process = subprocess.Popen(
                    [*COMMAND, *words, *(["--json"] if as_json else [])],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    cwd=here,
                )
            stack.enter_context(process)
            stack.callback(process.kill)
            return Started(process, errors)

        yield begin


@pytest.fixture
def terminal(here: Path) -> Iterator[Opener]:
    with ExitStack() as stack:

        def begin(*words: str, **env: str) -> Terminal:
            opened = Terminal(here, words, env)
            stack.callback(opened.close)
            return opened

        yield begin
