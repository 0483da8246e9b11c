"""A fleet of light processes that say what Codex would: each copies one pipe to its stdout."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.lines import lines

if TYPE_CHECKING:
    from engine.config.paths import Paths
    from engine.engine import Engine

LIMIT_S = 300.0
_PACE = """
import os, sys, time
pipes = [os.open(path, os.O_RDWR) for path in sys.stdin.readline().split()]
lines = sys.stdin.read().encode().splitlines(keepends=True)
print("ready", flush=True)
n = 0
due = time.monotonic()
while True:
    for pipe in pipes:
        os.write(pipe, lines[n % len(lines)])
    n += 1
    due = max(due + 1 / float(sys.argv[1]), time.monotonic() - 0.5)  # a pause is not made up for
    time.sleep(max(0, due - time.monotonic()))
"""


def pipes(folder: Path, count: int) -> list[Path]:
    """Make named pipes."""
    made = [folder / f"pipe-{n}" for n in range(1, count + 1)]
    for path in made:
        os.mkfifo(path)
    return made


class Pacer:
    """A writer of so many lines a second into each pipe; a context, in which it can be paused."""

    def __init__(self, into: Iterable[Path], rate: float) -> None:
        self._into = list(into)
        self._rate = rate

    def __enter__(self) -> Pacer:
        said = lines(500).decode()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PACE, str(self._rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(" ".join(map(str, self._into)) + "\n" + said)
        self._process.stdin.close()
        self._process.stdout.readline()
        self.pause()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    def pause(self) -> None:
        """Write nothing for now."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Write again."""
        self._process.send_signal(signal.SIGCONT)


def fake_codex(folder: Path, does: str) -> str:
    """Make a script in the place of Codex: its prompt is one word, `$n`."""
    path = folder / "codex"
    path.write_text(f'#!/bin/sh\n[ "$1" = exec ] || exit 0\nread -r n\n{does}\n')
    path.chmod(0o755)
    return str(path)


@asynccontextmanager
async def supervising(paths: Paths, count: int, codex: str) -> AsyncGenerator[Engine]:
    """Return an engine at whose hands so many runs are at work, each with its number as prompt."""
    from engine.config.settings import Config, QueueSettings, WatchdogSettings
    from engine.domain.model import RunSpec
    from engine.engine import Engine

    config = Config(
        slots=count, queue=QueueSettings(stagger_s=0), watchdog=WatchdogSettings(silent_s=9e4)
    )
    async with Engine.open(paths, config, supervise=True) as engine:
        for n in range(1, count + 1):
            spec = RunSpec(f"{n}\n", f"run {n}", "bench", codex_bin=codex)
            await engine.start(spec)
        yield engine


async def until_at_work(engine: Engine, count: int) -> None:
    """Wait until so many processes of runs have been started."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        started = list(engine.paths.home.glob("runs/*/attempt-1/pid"))
        if len(started) >= count:
            return
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{count} runs did not start in {LIMIT_S:.0f} s")


def end(paths: Paths) -> None:
    """Kill whatever is left of a home's runs."""
    from engine.execution.local.process_marks import marks

    home = os.path.realpath(paths.home)
    for value, pids in marks().items():
        if value.startswith(home):
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
