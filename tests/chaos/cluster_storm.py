"""A storm over a cluster: runs on nodes that count, and kills of everything that carries them.

`python tests/chaos/cluster_storm.py --kills 100` prints its figures; the test runs a short one.
A scheduler, nodes and a supervising engine are separate processes of this machine. At random
moments one of them is killed, or the process above a node that starts it again. The killed one is
started again after a moment, which now and then lasts longer than a lease: then the node is lost,
and its runs start over elsewhere. All the while, the processes of runs are listed: one run may have
those of one attempt only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

from storm import integrity  # noqa: E402  the path is set first

from engine.config.paths import Paths  # noqa: E402  the path is set first
from engine.config.settings import (  # noqa: E402  the path is set first
    ClusterSettings,
    Config,
    QueueSettings,
)
from engine.domain.errors import UserError  # noqa: E402  the path is set first
from engine.domain.events import ErrorRaised, Event, Notice, Step  # noqa: E402  the path is set first
from engine.domain.lifecycle import LIVE  # noqa: E402  the path is set first
from engine.domain.model import (  # noqa: E402  the path is set first
    ANY_NODE,
    Agent,
    RunSpec,
    Status,
    WorkspaceSpec,
)
from engine.engine import Engine  # noqa: E402  the path is set first
from engine.execution.local.process_marks import marks  # noqa: E402  the path is set first

KINDS = ("node", "parent", "scheduler", "engine")
LEASE_S = 6
END_S = 600.0
SUPERVISE = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from cluster_storm import config
from storm import Paths
from engine.engine import supervise
home = Path(sys.argv[3])
asyncio.run(supervise(Paths(home, home / "config.yaml"), config(sys.argv[4])))
"""


def config(address: str) -> Config:
    """Return the settings of the engine."""
    return Config(
        slots=2, queue=QueueSettings(stagger_s=0.05), cluster=ClusterSettings(scheduler=address)
    )


@dataclass
class ClusterStorm:
    """The result of a storm; everything after `seconds` must be zero."""

    kills: Counter[str] = field(default_factory=Counter[str])
    runs: int = 0
    attempts: int = 0
    nodes_lost: int = 0
    numbers: int = 0
    seconds: float = 0.0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    gaps: int = 0
    unfinished: int = 0
    without_message: int = 0
    two_agents: int = 0
    exit_unknown: int = 0
    left_alive: int = 0
    damage: int = 0

    @property
    def faults(self) -> dict[str, object]:
        """Return what is not as it must be."""
        names = list(vars(self))
        judged = names[names.index("seconds") + 1 :]
        return {name: getattr(self, name) for name in judged if getattr(self, name)}


class StormyCluster:
    """A cluster in a storm, with the engine that uses it."""

    def __init__(self, folder: Path, nodes: int, slots: int, seed: int) -> None:
        self.folder = folder
        self.paths = Paths(folder / "home", folder / "home" / "config.yaml")
        self.chance = random.Random(seed)
        self.slots = slots
        self.kills: Counter[str] = Counter()
        self.port = _free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.names = [f"n{number}" for number in range(1, nodes + 1)]
        self.held: dict[str, float] = {}
        """Killed processes, each with the moment when it is started again."""
        self.overlaps = 0
        self._roots = {name: os.path.realpath(folder / name) for name in self.names}

    def start_all(self) -> None:
        """Start what is gone and not held back."""
        self._start("scheduler", ["cluster", "scheduler", "--port", str(self.port)])
        for name in self.names:
            root = str(self.folder / name)
            words = ["node", "--scheduler", self.address, "--name", name, "--root", root]
            self._start(name, [*words, "--slots", str(self.slots), "--lease", f"{LEASE_S}s"])
        if self._may_start("engine"):
            words = [str(Path(__file__).parent), str(ROOT), str(self.paths.home), self.address]
            self.processes["engine"] = self._open([sys.executable, "-c", SUPERVISE, *words])

    def kill(self) -> None:
        """Kill one process of a random kind, and hold it back for a random time."""
        kind = self.chance.choice(KINDS)
        name = kind if kind in ("scheduler", "engine") else self.chance.choice(self.names)
        process = self.processes.get(name)
        if process is None or process.poll() is not None:
            return
        victim = process.pid
        if kind == "node":
            children = psutil.Process(process.pid).children()
            if not children:
                return
            victim = self.chance.choice(children).pid
        with suppress(ProcessLookupError, psutil.Error):
            os.kill(victim, signal.SIGKILL)
            self.kills[kind] += 1
        is_long = kind == "parent" and self.chance.random() < 0.2
        wait_s = self.chance.uniform(1.5, 3.0) * LEASE_S if is_long else self.chance.uniform(0, 2)
        if kind != "node":
            process.wait()
            self.held[name] = time.monotonic() + wait_s
            if kind == "parent" and is_long:
                self._kill_node(name)

    def close(self) -> None:
        """End all processes; those of runs must have ended by themselves."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()
        for name in self.names:
            self._kill_node(name)

    async def watch(self) -> None:
        """Count how often a run has processes of two attempts at once, until cancelled."""
        while True:
            await asyncio.sleep(0.1)
            at_work: dict[str, set[str]] = defaultdict(set)
            for mark in await asyncio.to_thread(self._marks):
                if found := re.search(r"/runs/([^/]+)/(attempt-\d+)", mark):
                    at_work[found[1]].add(found[2])
            self.overlaps += sum(len(attempts) > 1 for attempts in at_work.values())

    def left_alive(self) -> int:
        """Count the processes of runs on the nodes."""
        return sum(self._marks().values())

    def _marks(self) -> dict[str, int]:
        roots = tuple(self._roots.values())
        return {mark: len(pids) for mark, pids in marks().items() if mark.startswith(roots)}

    def _kill_node(self, name: str) -> None:
        """Kill what works for a node beside its parent, as a machine that is switched off."""
        root = str(self.folder / name)
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                if root in words and "node" in words:
                    process.kill()

    def _start(self, name: str, words: list[str]) -> None:
        if self._may_start(name):
            self.processes[name] = self._open([sys.executable, str(ROOT / "swarm_tui.py"), *words])

    def _may_start(self, name: str) -> bool:
        process = self.processes.get(name)
        is_gone = process is None or process.poll() is not None
        return is_gone and time.monotonic() >= self.held.get(name, 0.0)

    def _open(self, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


async def storm(cluster: StormyCluster, *, kills: int, runs: int, numbers: int) -> ClusterStorm:
    """Queue runs for any node, kill until `kills` are in, let all end, and count."""
    started = time.monotonic()
    watching = asyncio.create_task(cluster.watch())
    async with Engine.open(cluster.paths, config(cluster.address), follow=False) as engine:
        cluster.start_all()
        queued = 0
        while cluster.kills.total() < kills:
            live = [run for run in await engine.runs() if run.status in LIVE]
            for _ in range(runs - len(live)):
                queued += 1
                await engine.start(_spec(queued, numbers))
            await asyncio.sleep(cluster.chance.uniform(0.2, 1.2))
            cluster.kill()
            cluster.start_all()
            await _retry_failed(engine)
        until = time.monotonic() + END_S
        while time.monotonic() < until and not await _all_ended(engine):
            cluster.start_all()
            await _retry_failed(engine)
            await asyncio.sleep(0.5)
        found = await _count(engine, numbers)
    watching.cancel()
    found.kills, found.left_alive = cluster.kills, cluster.left_alive()
    found.two_agents = cluster.overlaps
    found.damage = integrity(cluster.paths) != "ok"
    found.seconds = round(time.monotonic() - started, 1)
    return found


def _spec(number: int, numbers: int) -> RunSpec:
    return RunSpec(
        f"sim: numbered {numbers} every=0.02\nsim: append a.txt end\nsim: say end",
        f"run {number}",
        "storm",
        agent=Agent.SIMULATED,
        retries=3,
        workspace=WorkspaceSpec(host=ANY_NODE),
    )


async def _retry_failed(engine: Engine) -> None:
    for run in await engine.runs():
        if run.status in (Status.FAILED, Status.INTERRUPTED):
            with suppress(UserError):
                await engine.retry(run.id)


async def _all_ended(engine: Engine) -> bool:
    return all(run.status is Status.SUCCEEDED for run in await engine.runs())


async def _count(engine: Engine, numbers: int) -> ClusterStorm:
    found = ClusterStorm()
    for run in await engine.runs():
        found.runs += 1
        found.attempts += run.attempt
        events = await engine.events(run.id)
        found.gaps += [event.seq for event in events] != list(range(1, len(events) + 1))
        is_good = run.status is Status.SUCCEEDED
        found.unfinished += not is_good
        found.exit_unknown += is_good and run.exit_code != 0
        told = {event.attempt: _reason(event) for event in events if _reason(event)}
        found.nodes_lost += sum("was cut off" in reason for reason in told.values())
        found.without_message += sum(n not in told for n in range(1, run.attempt))
        by_attempt: dict[int, list[int]] = defaultdict(list)
        for event in events:
            if isinstance(event.body, Step) and (n := re.fullmatch(r"n (\d+)", event.body.text)):
                by_attempt[event.attempt].append(int(n[1]))
        for seen in by_attempt.values():
            found.numbers += len(seen)
            found.doubled += len(seen) - len(set(seen))
            found.disordered += seen != sorted(seen)
            found.lost += bool(seen) and sorted(set(seen)) != list(range(1, max(seen) + 1))
        found.lost += is_good and by_attempt[run.attempt] != list(range(1, numbers + 1))
    return found


def _reason(event: Event) -> str:
    """Return why an attempt ended without success, as its run's log has it; else empty."""
    match event.body:
        case ErrorRaised(error):
            return error.message
        case Notice(text=text) if "Trying again" in text:
            return text
        case _:
            return ""


def main() -> None:
    """Run a long storm and print what it came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--numbers", type=int, default=400)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--slots", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    asked = parser.parse_args()
    print(f"seed {asked.seed}")
    with tempfile.TemporaryDirectory(prefix="cs") as folder:
        cluster = StormyCluster(Path(folder), asked.nodes, asked.slots, asked.seed)
        try:
            found = asyncio.run(
                storm(cluster, kills=asked.kills, runs=asked.runs, numbers=asked.numbers)
            )
        finally:
            cluster.close()
    for name, value in vars(found).items():
        print(f"{name:>15} {value}")
    sys.exit(bool(found.faults))


if __name__ == "__main__":
    main()
