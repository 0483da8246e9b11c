"""Power cuts: the image of a home's disk is copied under load, and what was reported is looked for.

`python tests/chaos/power.py --cuts 20` prints its figures. What was only in memory when the copy
began is not in it, as after a real power cut. Needs root and loop mounts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
SIZE_BYTES = 192 * 1024**2
# Nothing gets to the disk early by itself: only what is synced is there for certain.
OPTIONS = "loop,noatime,commit=300,noauto_da_alloc"
GIT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}

LOAD = """
import asyncio, json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from engine.config.settings import Config, QueueSettings
from engine.domain.events import CheckpointTaken
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Agent, RunSpec, Status, WorkspaceKind, WorkspaceSpec
from engine.engine import ApplyMode, Engine
from engine.config.paths import Paths

disk = Path(sys.argv[2])
paths = Paths(disk / "home", disk / "config.yaml")
place = WorkspaceSpec(WorkspaceKind.WORKTREE, str(disk / "repository"))


def report(kind, run, *more):
    print(json.dumps([kind, run, *more]), flush=True)


async def queue(engine, number):
    names = [f"part-{number}-{n}.txt" for n in range(3)]
    lines = [f"sim: write {name} text of {name}" for name in names]
    run = await engine.start(RunSpec(
        "\\n".join([*lines, "sim: numbered 30 every=0.01", "sim: say end"]), f"run {number}",
        "power", agent=Agent.SIMULATED, workspace=place))
    report("accepted", run.id)


async def main():
    tasks = set()
    config = Config(slots=3, queue=QueueSettings(stagger_s=0))
    async with Engine.open(paths, config, supervise=True) as engine:
        batches, number = engine.batches(0), 0
        while True:
            while len(engine.view.live) < 5:
                number += 1
                await queue(engine, number)
            for event in (await anext(batches)).events:
                if isinstance(event.body, CheckpointTaken):
                    report("checkpoint", event.run, event.body.n, event.body.ref)
                if event.body.type == "status" and event.body.status in FINISHED:
                    run = engine.view.runs[event.run]
                    names = run.spec.prompt.split() if event.body.status is Status.SUCCEEDED else ()
                    work = [name for name in names if name.startswith("part-")]
                    folder = Path(run.workspace.path).relative_to(disk) if run.workspace else ""
                    report("ended", event.run, event.body.status.value, str(folder), *set(work))
                    if event.body.status is Status.SUCCEEDED:
                        task = asyncio.create_task(home(engine, event.run))
                        tasks.add(task)
                        task.add_done_callback(tasks.discard)


async def home(engine, run):
    done = await engine.workspaces.apply(run, ApplyMode.EDITS)
    report("applied", run, *done.files)


asyncio.run(main())
"""


@dataclass
class PowerCuts:
    """What the cuts came to; `undone` lists what had been reported and was not there."""

    cuts: int = 0
    reported: int = 0
    undone: list[str] = field(default_factory=list[str])


def loop_mounts() -> str | None:
    """Return why images cannot be mounted here; None if they can."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        return "needs root and mkfs.ext4"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with image(Path(folder)):
                return None
        except subprocess.CalledProcessError as error:
            return f"loop mounts are not possible: {error.stderr.decode(errors='replace').strip()}"


@contextmanager
def image(folder: Path) -> Generator[tuple[Path, Path]]:
    """Make a file system in a file, and mount it; gives the file and where it is mounted."""
    file = folder / "disk.img"
    with file.open("wb") as made:
        made.truncate(SIZE_BYTES)
    _run("mkfs.ext4", "-q", "-F", str(file))
    with mounted(file, folder / "disk", OPTIONS) as place:
        yield file, place


@contextmanager
def mounted(file: Path, place: Path, options: str) -> Generator[Path]:
    """Mount the image of a file system for the time of the context."""
    place.mkdir(exist_ok=True)
    _run("mount", "-o", options, str(file), str(place))
    try:
        yield place
    finally:
        deadline = time.monotonic() + 20
        while subprocess.run(["umount", str(place)], capture_output=True).returncode:
            if time.monotonic() > deadline:
                _run("umount", "-l", str(place))
                break
            time.sleep(0.1)


class Load:
    """The program that works on the disk and reports; its reports are kept as they come."""

    def __init__(self, disk: Path, log: Path) -> None:
        self.facts: list[list[object]] = []
        with log.open("wb") as said:
            self._start(disk, said)

    def _start(self, disk: Path, log: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOAD, str(ROOT), str(disk)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.facts.append(json.loads(line))

    @property
    def is_alive(self) -> bool:
        """True if it still works."""
        return self._process.poll() is None

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold it still: a power cut takes one moment, a copy some."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it and its agents."""
        self._process.kill()
        self._process.wait()
        self._reader.join(10)
        if self._process.stdout:
            self._process.stdout.close()


def power_cuts(folder: Path, *, cuts: int, seed: int, between_s: float = 2.0) -> PowerCuts:
    """Let runs work on an image, copy it `cuts` times, and look in the copies for all reported."""
    chance, found = random.Random(seed), PowerCuts()
    with ExitStack() as stack:
        file, disk = stack.enter_context(image(folder))
        _repository(disk / "repository")
        subprocess.run(["sync", "-f", str(disk)], check=True)
        load = Load(disk, folder / "load.log")
        stack.callback(_end_agents, disk)
        stack.callback(load.end)
        while not load.facts and load.is_alive:
            time.sleep(0.05)
        for number in range(cuts):
            time.sleep(chance.uniform(0.3, between_s))
            assert load.is_alive, (folder / "load.log").read_text()
            copy = folder / f"copy-{number}.img"
            facts = list(load.facts)
            with load.held():
                _run("cp", "--sparse=always", str(file), str(copy))
            found.cuts += 1
            found.reported += len(facts)
            with mounted(copy, folder / "copy", "loop,noatime") as place:
                found.undone += find_lost(place, facts)
            copy.unlink()
    return found


def find_lost(place: Path, facts: list[list[object]]) -> list[str]:
    """Return what was reported and is not there, on a copy of the disk mounted at `place`."""
    home = place / "home"
    undone: list[str] = []
    with closing(sqlite3.connect(home / "swarm.db")) as db:
        if (found := db.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            undone.append(f"database: {found}")
        try:
            statuses = dict(db.execute("SELECT id, status FROM runs"))
        except sqlite3.OperationalError as error:
            return [f"the whole database: {error}"]
        for kind, run, *more in facts:
            undone += _CHECKS[str(kind)](Copy(place, db, statuses), str(run), more)
    return undone


@dataclass(frozen=True)
class Copy:
    """What the disk held when the power was cut."""

    place: Path
    db: sqlite3.Connection
    statuses: dict[str, str]

    @property
    def runs(self) -> Path:
        """The folders of the runs."""
        return self.place / "home" / "runs"


def _accepted(copy: Copy, run: str, _more: list[object]) -> list[str]:
    return [] if run in copy.statuses else [f"run {run} was accepted"]


def _ended(copy: Copy, run: str, more: list[object]) -> list[str]:
    undone = [] if copy.statuses.get(run) == more[0] else [f"run {run} ended {more[0]}"]
    exit_file = copy.runs / run / "attempt-1" / "exit"
    is_kept = exit_file.is_file() and exit_file.stat().st_size
    undone += [] if is_kept else [str(exit_file)]
    for name in map(str, more[2:]):
        path = copy.place / str(more[1]) / name
        if not path.is_file() or path.read_text() != f"text of {name}\n":
            undone.append(f"run {run} left {name} in its workspace")
    return undone


def _checkpointed(copy: Copy, run: str, more: list[object]) -> list[str]:
    query = "SELECT 1 FROM events JOIN runs ON key = run WHERE runs.id = ? AND type = ?"
    is_known = copy.db.execute(query, (run, "checkpoint")).fetchone()
    undone = [] if is_known else [f"run {run} had checkpoint {more[0]}"]
    wrong = _wrong_checkpoint(copy.runs / run, str(more[1]))
    return [*undone, f"run {run}, checkpoint {more[0]}: {wrong}"] if wrong else undone


def _applied(copy: Copy, run: str, more: list[object]) -> list[str]:
    undone: list[str] = []
    for name in map(str, more):
        path = copy.place / "repository" / name
        if not path.is_file() or path.read_text() != f"text of {name}\n":
            undone.append(f"run {run} was applied: {name}")
    return undone


_CHECKS = {
    "accepted": _accepted,
    "ended": _ended,
    "checkpoint": _checkpointed,
    "applied": _applied,
}


def _wrong_checkpoint(folder: Path, ref: str) -> str | None:
    (store,) = [*(folder / "checkpoints").glob("*.git")] or [None]
    if store is None:
        return "no store"
    for check in (["ls-tree", "-r", ref], ["cat-file", "-t", ref], ["rev-list", "--objects", ref]):
        done = subprocess.run(
            ["git", "--git-dir", str(store), *check], env=GIT, capture_output=True, check=False
        )
        if done.returncode:
            return done.stderr.decode(errors="replace").strip()
    return None


def _repository(path: Path) -> None:
    path.mkdir()
    (path / "a.txt").write_text("one\n")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=path, env=GIT, check=True)


def _end_agents(disk: Path) -> None:
    sys.path.insert(0, str(ROOT))
    from engine.execution.local.process_marks import marks

    home = os.path.realpath(disk / "home")
    for mark, pids in marks().items():
        if mark.startswith(home):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def main() -> None:
    """Cut the power again and again and print what it came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    if why_not := loop_mounts():
        print(f"no power cuts: {why_not}")
        return
    print(f"power cuts, seed {asked.seed}")
    with tempfile.TemporaryDirectory() as folder:
        found = power_cuts(Path(folder), cuts=asked.cuts, seed=asked.seed)
    for name, value in vars(found).items():
        print(f"{name:>12} {value}")
    sys.exit(bool(found.undone))


if __name__ == "__main__":
    main()
