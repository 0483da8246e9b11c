"""The cost of interactive runs beside those of `codex exec`, and of many open requests."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.fleet import LIMIT_S, end
from benchmarks.row import Bench, Relation, Round, Row, alternating
from benchmarks.rows.starting import COMMAND

ROOT = Path(__file__).parents[2]
AGENT = ROOT / "engine/agents/simulated/__main__.py"
BRIDGE = ROOT / "engine/agents/codex/interactive/bridge/__main__.py"
PYTHON = (sys.executable, "-I", "-S")
WORK = "\n".join(["sim: speed 1000", *("sim: say a line", 'sim: command "make" takes=0') * 15])
RUNS, REQUESTS = 200, 500
HELD = "sim: say ready\nsim: hang"
_ENGINE = """
import asyncio, sys
from pathlib import Path
from benchmarks.rows.interactive import wait_for_answers
asyncio.run(wait_for_answers(Path(sys.argv[1]), int(sys.argv[2])))
"""


@dataclass(frozen=True)
class _Attempts:
    """Attempts of the simulated agent in one folder, in both modes."""

    folder: Path

    @property
    def _env(self) -> dict[str, str]:
        return {**os.environ, "CODEX_HOME": str(self.folder)}

    def start(self, prompt: str, *, interactive: bool) -> subprocess.Popen[bytes]:
        """Start an attempt; its output is its stdout."""
        process = subprocess.Popen(
            self._interactive() if interactive else self._exec(),
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin
        process.stdin.write(prompt.encode())
        process.stdin.close()
        return process

    def _exec(self) -> list[str]:
        return [*PYTHON, str(AGENT), "exec", "--json", "--skip-git-repo-check", "-"]

    def _interactive(self) -> list[str]:
        inbox = self.folder / f"inbox-{time.monotonic_ns()}"
        program, *arguments = (*PYTHON, str(AGENT))
        words = [*PYTHON, str(BRIDGE), "--codex", program]
        for argument in arguments:
            words += ["--codex-argument", argument]
        words += ["--inbox", str(inbox), "--prompt-id", "prompt"]
        return [*words, "--sandbox", "read-only", "--approvals", "on-request"]

    def cpu_s(self, *, interactive: bool) -> float:
        """Return the processor time of a whole attempt, with all its processes."""
        process = self.start(WORK, interactive=interactive)
        assert process.stdout
        with process.stdout as stdout:
            while stdout.read(65_536):
                pass
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    def memory(self, *, interactive: bool) -> float:
        """Return the memory of an attempt at work, in MiB: its share of what is shared."""
        process = self.start(HELD, interactive=interactive)
        assert process.stdout
        with process.stdout as stdout:
            while b"ready" not in stdout.readline():
                pass
            pids = [process.pid, *_children(process.pid)]
            used = sum(_pss(pid) for pid in pids) / 1024
            process.terminate()
            stdout.read()
        process.wait()
        return used


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise OSError(f"no memory of {pid}")


def _cpu(bench: Bench) -> Iterator[Round]:
    attempts = _Attempts(bench.folder())

    def of(*, interactive: bool) -> float:
        count = bench.size(9, 3)
        return median(attempts.cpu_s(interactive=interactive) for _ in range(count))

    yield alternating(lambda: of(interactive=True), lambda: of(interactive=False))


def _memory(bench: Bench) -> Iterator[Round]:
    attempts = _Attempts(bench.folder())
    yield alternating(
        lambda: attempts.memory(interactive=True), lambda: attempts.memory(interactive=False)
    )


# Many open requests


async def fill_inbox(home: Path, runs: int, requests: int) -> None:
    """Make a home whose runs wait for answers: so many runs, so many requests in all."""
    from engine.domain.events import Body, StatusChanged
    from engine.domain.interaction import InputRequest, RequestKind, RequestPhase
    from engine.domain.model import RunSpec, Status
    from engine.store.appending import AppendRequest
    from engine.store.store import open_store

    home.mkdir(mode=0o700, parents=True)
    async with open_store(home / "swarm.db") as store:
        entries: list[AppendRequest] = []
        for number in range(runs):
            spec = RunSpec("Do it", f"run {number}", f"project-{number % 7}", interactive=True)
            (run,) = (await store.create(spec, ())).runs
            begun: list[Body] = [StatusChanged(Status.PREPARING), StatusChanged(Status.RUNNING)]
            count = requests // runs + (number < requests % runs)
            asked = [
                InputRequest(
                    str(request),
                    RequestPhase.RAISED,
                    RequestKind.COMMAND,
                    text=f"make part-{request}",
                    command=f"/bin/bash -lc 'make part-{request}'",
                    cwd=".",
                    digest=f"{request:064}",
                )
                for request in range(count)
            ]
            entries.append(AppendRequest(run, [*begun, *asked]))
        await store.append(entries)


def _inbox(bench: Bench) -> Iterator[Round]:
    folder = bench.folder() / "home"
    asyncio.run(fill_inbox(folder, RUNS, REQUESTS))
    env = {**os.environ, "SWARM_HOME": str(folder), "SWARM_CONFIG": str(folder / "config.yaml")}

    def of(command: list[str]) -> float:
        began = time.perf_counter()
        done = subprocess.run(command, env=env, check=True, capture_output=True)
        took_s = time.perf_counter() - began
        assert command[-1] != "--json" or done.stdout.count(b'"digest"') == REQUESTS
        return took_s

    def middle(command: list[str]) -> float:
        return median(of(command) for _ in range(bench.size(9, 3)))

    yield alternating(
        lambda: middle([COMMAND, "inbox", "--json"]),
        lambda: middle([sys.executable, "-c", "import sqlite3, asyncio"]),
    )


# Waiting


async def wait_for_answers(home: Path, count: int) -> None:
    """Supervise interactive runs that ask, and are not answered; creates `ready` beside them."""
    from engine.config.paths import Paths
    from engine.config.settings import Config, QueueSettings
    from engine.domain.model import Agent, RunSpec
    from engine.engine import Engine
    from tui.cli.support.session import collect_garbage

    collect_garbage()  # as the command does
    config = Config(slots=count, queue=QueueSettings(stagger_s=0))
    async with Engine.open(Paths(home, home / "config.yaml"), config, supervise=True) as engine:
        for number in range(count):
            prompt = 'sim: ask "make"'
            spec = RunSpec(prompt, f"run {number}", "bench", Agent.SIMULATED, interactive=True)
            await engine.start(spec)
        batches = engine.batches()
        async with asyncio.timeout(LIMIT_S):
            while not all(run.unanswered for run in engine.view.runs.values()):
                await anext(batches)
        (home / "ready").touch()
        await asyncio.Event().wait()


def _idle(bench: Bench) -> Iterator[Round]:
    from engine.config.paths import Paths

    count, window_s = bench.size(20, 8), bench.size(10.0, 2.0)
    home = bench.folder() / "home"
    with ExitStack() as stack:
        stack.callback(end, Paths(home, home))
        process = subprocess.Popen([sys.executable, "-c", _ENGINE, str(home), str(count)])
        stack.callback(process.wait)
        stack.callback(process.kill)
        deadline = time.monotonic() + LIMIT_S
        while not (home / "ready").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError("the engine did not come up")
            time.sleep(0.1)
        time.sleep(bench.size(3.0, 0.5))  # what comes with a start is over

        def used() -> float:
            before, began = _all_cpu_s(home, process.pid), time.monotonic()
            time.sleep(window_s)
            return (_all_cpu_s(home, process.pid) - before) / (time.monotonic() - began)

        yield lambda: (used(), 0.0)


def _all_cpu_s(home: Path, engine: int) -> float:
    """Return the processor time of an engine and of all processes of its runs."""
    from engine.execution.local.process_marks import cpu_s, marks

    root = os.path.realpath(home)
    pids = [pid for value, found in marks().items() if value.startswith(root) for pid in found]
    return sum(map(cpu_s, [engine, *pids]))


ROWS = [
    Row(
        "interactive.processor",
        "an interactive run of 30 steps, its bridge included: processor time",
        "the same script as `codex exec`",
        target=2.5,
        aim=2.0,
        rounds=contextmanager(_cpu),
        note="simulated agents: both need a tenth of what Codex needs, so that the bridge counts "
        "most. With the real Codex it is as much as exec: docs/interactive.md.",
    ),
    Row(
        "interactive.memory",
        "an interactive run at work: how much more memory than `codex exec`",
        "the same script as `codex exec`",
        target=10.0,
        aim=8.0,
        rounds=contextmanager(_memory),
        unit="MiB",
        relation=Relation.MORE,
    ),
    Row(
        "interactive.inbox",
        "`swarm-tui inbox --json`, 500 requests of 200 runs",
        '`python -c "import sqlite3, asyncio"`',
        target=5.0,
        aim=4.0,
        rounds=contextmanager(_inbox),
        note="as much as `ls --json` of the same home: most of it are imports.",
    ),
    Row(
        "interactive.idle",
        "20 runs that wait for an answer, with their engine: processor time",
        "none",
        target=0.15,
        aim=0.08,
        rounds=contextmanager(_idle),
        unit="s/s",
        relation=Relation.ALONE,
        times=3,
        quick_times=1,
        quick_what="8 runs that wait for an answer, with their engine: processor time",
    ),
]
