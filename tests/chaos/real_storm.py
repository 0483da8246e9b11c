"""A storm over the real Codex: it numbers its commands and messages while engines are killed.

`python tests/chaos/real_storm.py --kills 20` prints its figures. The model server is part of this
program, and lives on while the engines die.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests" / "real")]

from loopback import (  # noqa: E402  the path is set first
    LoopbackServer,
    codex_binary,
    codex_env,
    codex_home,
    command,
    message,
    together,
)
from storm import CONFIG, integrity, left_alive, start_engine  # noqa: E402  the path is set first

from engine.config.paths import Paths  # noqa: E402  the path is set first
from engine.domain.events import Step  # noqa: E402  the path is set first
from engine.domain.model import RunSpec, Status  # noqa: E402  the path is set first
from engine.engine import Engine  # noqa: E402  the path is set first

TAIL_S = 240


@dataclass
class RealStorm:
    """The result of a storm; `numbers` are those of messages and of commands."""

    kills: int
    runs: int = 0
    numbers: int = 0
    wrong_messages: int = 0
    wrong_commands: int = 0
    wrong_files: int = 0
    gaps: int = 0
    restarts: int = 0
    unfinished: int = 0
    left_alive: int = 0
    integrity: str = ""
    seconds: float = 0.0

    @property
    def faults(self) -> dict[str, object]:
        """What is not as it should be."""
        good = {"kills", "runs", "numbers", "seconds"}
        found = {name: value for name, value in vars(self).items() if name not in good and value}
        if found.get("integrity") == "ok":
            del found["integrity"]
        return found


@contextmanager
def real_home() -> Iterator[tuple[Path, LoopbackServer]]:
    """Return a home, with Codex set up to ask a model server of our own."""
    folder = ROOT / ".test-home" / f"storm-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    before = dict(os.environ)
    try:
        with LoopbackServer() as server:
            os.environ.update(codex_env(codex_home(folder / "codex", server)))
            os.environ.pop("CODEX_SQLITE_HOME")
            yield folder / "home", server
    finally:
        os.environ.clear()
        os.environ.update(before)
        rmtree(folder, ignore_errors=True)


def storm(kills: int, runs: int, numbers: int, seed: int) -> RealStorm:
    """Queue runs, kill the engine `kills` times, let it end, and count."""
    chance = random.Random(seed)
    found = RealStorm(kills)
    started = time.monotonic()
    with real_home() as (home, server):
        paths = Paths(home, home / "config.yaml")
        steps = [
            together(message(f"m {n}"), command(f"sleep 0.05; echo n {n} | tee -a numbers.txt"))
            for n in range(1, numbers + 1)
        ]
        prompt = server.script("numbers", [*steps, message("end")])
        asyncio.run(_queue(paths, prompt, runs))
        for _ in range(kills):
            engine = start_engine(home)
            try:
                while True:
                    engine.wait(chance.uniform(0.3, 1.2))
                    asyncio.run(_queue(paths, prompt, 1))  # nothing was left to do: more of it
                    engine = start_engine(home)
            except subprocess.TimeoutExpired:
                engine.send_signal(signal.SIGKILL)
            engine.wait()
        start_engine(home).wait(TAIL_S)
        asyncio.run(_count(paths, numbers, found))
        found.integrity, found.left_alive = integrity(paths), left_alive(paths)
    found.seconds = round(time.monotonic() - started, 1)
    return found


async def _queue(paths: Paths, prompt: str, count: int) -> None:
    async with Engine.open(paths, CONFIG, follow=False) as engine:
        for n in range(count):
            spec = RunSpec(prompt, f"run {n}", "storm", codex_bin=codex_binary())
            await engine.start(spec)


async def _count(paths: Paths, numbers: int, found: RealStorm) -> None:
    expected = list(range(1, numbers + 1))
    async with Engine.open(paths, CONFIG, follow=False) as engine:
        for run in await engine.runs():
            events = await engine.events(run.id)
            steps = [event.body for event in events if isinstance(event.body, Step)]
            found.runs += 1
            found.numbers += 2 * numbers
            found.gaps += [event.seq for event in events] != list(range(1, len(events) + 1))
            found.wrong_messages += _numbers("m", [step.text for step in steps]) != expected
            outputs = [step.output or "" for step in steps if step.phase == "completed"]
            found.wrong_commands += _numbers("n", outputs) != expected
            starts = [step for step in steps if step.phase == "started"]
            found.wrong_commands += len(starts) != numbers
            assert run.workspace
            lines = (Path(run.workspace.path) / "numbers.txt").read_text().splitlines()
            found.wrong_files += _numbers("n", lines) != expected
            spool = paths.attempt(run.id, 1).stdout.read_text()
            found.restarts += run.attempt != 1 or spool.count('"thread.started"') != 1
            found.unfinished += (run.status, run.exit_code) != (Status.SUCCEEDED, 0)


def _numbers(letter: str, texts: list[str]) -> list[int]:
    matches = (re.fullmatch(rf"{letter} (\d+)\s*", text) for text in texts)
    return [int(match[1]) for match in matches if match]


def main() -> None:
    """Run a storm and print what it came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--numbers", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"the real Codex, seed {asked.seed}")
    found = storm(asked.kills, asked.runs, asked.numbers, asked.seed)
    for name, value in vars(found).items():
        print(f"{name:>14} {value}")
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
