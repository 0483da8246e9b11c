"""Runs on nodes of a cluster on this machine, against the same runs without one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.fleet import LIMIT_S, end
from benchmarks.row import Bench, Round, Row, alternating

if TYPE_CHECKING:
    from engine.config.settings import ClusterSettings
    from engine.engine import Engine

ROOT = Path(__file__).parents[2]
NODES = 4
LINES = 10
_SAY = "sim: numbered 10 every=0.2"
_WAIT = "sim: say hello\nsim: hang"
_END = "sim: say hello"


class Trial:
    """A scheduler and nodes on this machine, in processes of their own."""

    def __init__(self, folder: Path, slots: int) -> None:
        words = ["cluster", "up", "--nodes", str(NODES), "--slots", str(slots), "--port", "0"]
        home = {"SWARM_HOME": str(folder / "trial"), "SWARM_CONFIG": os.devnull}
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "swarm_tui.py"), *words, "--json"],
            env={**os.environ, **home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        joined = 0
        while joined < NODES:
            line = self._process.stdout.readline()
            assert line, "the trial cluster ended"
            report = json.loads(line)
            if report["event"] == "listening":
                self.settings = {name: report[name] for name in _FILES}
            joined += report["event"] == "joined"

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()


_FILES = ("scheduler", "ca", "certificate", "key")


@asynccontextmanager
async def _engine(folder: Path, trial: Trial | None, slots: int) -> AsyncGenerator[Engine]:
    from engine.config.paths import Paths
    from engine.config.settings import ClusterSettings, Config, QueueSettings
    from engine.engine import Engine

    cluster: ClusterSettings = ClusterSettings(**trial.settings) if trial else ClusterSettings()
    config = Config(slots=slots, queue=QueueSettings(stagger_s=0), cluster=cluster)
    paths = Paths(folder / "home", folder / "config.yaml")
    try:
        async with Engine.open(paths, config, supervise=True) as engine:
            yield engine
    finally:
        end(paths)
        if trial:
            end(Paths(folder.parent, folder / "config.yaml"))


async def _start(engine: Engine, prompt: str, *, remote: bool) -> str:
    from engine.domain.model import ANY_NODE, LOCAL, Agent, RunSpec, WorkspaceSpec

    place = WorkspaceSpec(host=ANY_NODE if remote else LOCAL)
    spec = RunSpec(prompt, "a run", "bench", agent=Agent.SIMULATED, workspace=place)
    return (await engine.start(spec)).id


async def _first_event(engine: Engine, prompt: str, *, remote: bool) -> float:
    """Return the seconds from the request for a run until its agent's first event is stored."""
    began = time.perf_counter()
    run = await _start(engine, prompt, remote=remote)
    await _until(lambda: bool(engine.view.runs[run].thread_id))
    took = time.perf_counter() - began
    await engine.cancel(run)
    await _until(lambda: bool(engine.view.runs[run].finished_at))
    return took


async def _delay(engine: Engine, prompt: str, *, remote: bool) -> float:
    """Return the median seconds from an agent's line in its file until its event is stored."""
    from engine.domain.events import Step

    run = await _start(engine, prompt, remote=remote)
    await _until(lambda: bool(engine.view.runs[run].thread_id))
    top = engine.paths.home.parent.parent  # nodes and homes lie beside each other
    (output,) = await asyncio.to_thread(lambda: list(top.rglob(f"{run}/attempt-1/stdout.jsonl")))
    written: list[float] = []
    took: list[float] = []
    while len(took) < LINES:
        now = time.perf_counter()
        written += [now] * (output.read_bytes().count(b'"n ') - len(written))
        bodies = [event.body for event in await engine.events(run)]
        stored = sum(isinstance(body, Step) and body.text.startswith("n ") for body in bodies)
        now = time.perf_counter()
        took += [now - at for at in written[len(took) : stored]]
        await asyncio.sleep(0.002)
    await _until(lambda: bool(engine.view.runs[run].finished_at))
    return median(took)


async def _cancel(engine: Engine, prompt: str, *, remote: bool) -> float:
    """Return the seconds from a cancel until the run has ended."""
    run = await _start(engine, prompt, remote=remote)
    await _until(lambda: bool(engine.view.runs[run].thread_id))
    began = time.perf_counter()
    await engine.cancel(run)
    await _until(lambda: bool(engine.view.runs[run].finished_at))
    return time.perf_counter() - began


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110  nothing reports it
            await asyncio.sleep(0.002)


async def _many(engine: Engine, prompt: str, count: int, *, remote: bool) -> float:
    """Return the seconds from the first request until all of many short runs have ended."""
    began = time.perf_counter()
    runs = [await _start(engine, prompt, remote=remote) for _ in range(count)]
    await _until(lambda: all(engine.view.runs[run].finished_at for run in runs))
    return time.perf_counter() - began


@contextmanager
def _measured(
    bench: Bench, prompt: str, times: int, measure: Callable[..., Coroutine[None, None, float]]
) -> Generator[Round]:
    """Measure on nodes and on this machine in turn, in one engine each."""
    folder = bench.folder()
    trial = Trial(folder, 50)
    with asyncio.Runner() as runner:

        async def of(remote: bool) -> float:
            home = bench.folder()
            async with _engine(home, trial if remote else None, 200) as engine:
                await _first_event(engine, _WAIT, remote=remote)  # connected
                return median([await measure(engine, prompt, remote=remote) for _ in range(times)])

        try:
            yield alternating(lambda: runner.run(of(True)), lambda: runner.run(of(False)))
        finally:
            trial.close()


@contextmanager
def _first_events(bench: Bench) -> Generator[Round]:
    with _measured(bench, _WAIT, bench.size(9, 3), _first_event) as round_:
        yield round_


@contextmanager
def _delays(bench: Bench) -> Generator[Round]:
    with _measured(bench, _SAY, bench.size(5, 1), _delay) as round_:
        yield round_


@contextmanager
def _cancels(bench: Bench) -> Generator[Round]:
    with _measured(bench, _WAIT, bench.size(9, 3), _cancel) as round_:
        yield round_


@contextmanager
def _two_hundred(bench: Bench) -> Generator[Round]:
    with _measured(bench, _END, 1, partial(_many, count=200)) as round_:
        yield round_


HERE = "the same on this machine, without a cluster"
ROWS = [
    Row(
        name="cluster.start",
        what="a run on a node from its request to the first event",
        yardstick=HERE,
        target=3,
        aim=2,
        rounds=_first_events,
        quick_times=1,
    ),
    Row(
        name="cluster.delay",
        what="an agent's line on a node until its event is stored",
        yardstick=HERE,
        target=3,
        aim=2,
        rounds=_delays,
        quick_times=1,
    ),
    Row(
        name="cluster.cancel",
        what="a run on a node from its cancel to its end",
        yardstick=HERE,
        target=3,
        aim=2,
        rounds=_cancels,
        quick=False,
    ),
    Row(
        name="cluster.runs",
        what=f"200 short runs on {NODES} nodes, from the first request to the last end",
        yardstick=HERE,
        target=3,
        aim=2,
        rounds=_two_hundred,
        times=2,
        quick=False,
    ),
]
