"""The cost of looking after many processes, against a supervisor that only looks after them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.fleet import LIMIT_S, Pacer, end, fake_codex, pipes, supervising, until_at_work
from benchmarks.row import Bench, Round, Row, Unavailable, alternating

RATE = 20.0
_ENGINE = """
import asyncio, sys
from pathlib import Path
from benchmarks.rows.supervising import supervise
asyncio.run(supervise(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
"""
_CIRCUS = """
from circus import get_arbiter
import sys
folder, count = sys.argv[1], int(sys.argv[2])
get_arbiter(
    [{
        "cmd": "/bin/cat", "args": [folder + "/pipe-$(circus.wid)"], "numprocesses": count,
        "stdout_stream": {"class": "FileStream", "filename": folder + "/out"},
        "singleton": False,
    }],
    controller="ipc://" + folder + "/a", pubsub_endpoint="ipc://" + folder + "/b",
).start()
"""


async def supervise(home: Path, count: int, codex: str) -> None:
    """Run the measured engine in a process of its own; it reports when all are at work."""
    from engine.config.paths import Paths
    from tui.cli.support.session import collect_garbage

    collect_garbage()  # as the command does
    async with supervising(Paths(home, home / "config.yaml"), count, codex) as engine:
        await until_at_work(engine, count)
        (home / "ready").touch()
        await asyncio.Event().wait()


@contextmanager
def _rounds(bench: Bench) -> Generator[Round]:
    if find_spec("circus") is None:
        raise Unavailable("circus is not installed: `make bench` does that")
    count, window_s = bench.size(200, 40), bench.size(10.0, 4.0)
    with ExitStack() as stack:
        ours, our_pace = _engine(bench.folder(), count, stack)
        theirs, their_pace = _circus(bench.folder(), count, stack)
        time.sleep(3)
        for pid, pace in ((ours, our_pace), (theirs, their_pace)):
            _used(pid, pace, window_s)  # what comes with a start is over, first looks too
        yield alternating(
            lambda: _used(ours, our_pace, window_s), lambda: _used(theirs, their_pace, window_s)
        )


def _engine(folder: Path, count: int, stack: ExitStack) -> tuple[int, Pacer]:
    from engine.config.paths import Paths

    into, home = pipes(folder, count), folder / "home"
    codex = fake_codex(folder, f'exec cat "{folder}/pipe-$n"')
    stack.callback(end, Paths(home, home))
    pacer = stack.enter_context(Pacer(into, RATE))
    process = subprocess.Popen([sys.executable, "-c", _ENGINE, str(home), str(count), codex])
    stack.callback(process.wait)
    stack.callback(process.kill)
    _wait_for(lambda: (home / "ready").exists(), process)
    return process.pid, pacer


def _circus(folder: Path, count: int, stack: ExitStack) -> tuple[int, Pacer]:
    pacer = stack.enter_context(Pacer(pipes(folder, count), RATE))
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _CIRCUS, str(folder), str(count)],
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)  # its processes end with it
    _wait_for(lambda: len(_children(process.pid)) >= count, process)
    return process.pid, pacer


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _wait_for(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError("a supervisor did not come up")
        time.sleep(0.2)


def _used(pid: int, pacer: Pacer, window_s: float) -> float:
    """Return the processor time, in seconds a second, that a process uses while all are writing."""
    pacer.go_on()
    time.sleep(0.5)
    before, began = _cpu_s(pid), time.monotonic()
    time.sleep(window_s)
    used, took = _cpu_s(pid) - before, time.monotonic() - began
    pacer.pause()
    time.sleep(0.5)  # what is on its way arrives
    return used / took


def _cpu_s(pid: int) -> float:
    """Return the processor time a process has used; that of its children is theirs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


ROWS = [
    Row(
        name="engine.supervise",
        what="engine supervising 200 runs at 20 events/s, parsed and stored: processor time",
        yardstick="circus supervising the same 200 processes",
        unit="s/s",
        target=1.0,
        aim=0.4,
        rounds=_rounds,
        times=3,
        quick=False,
        note=(
            "circus copies bytes; ours parses each line, stores it as a row, keeps every run's "
            "state current and takes checkpoints. Three fifths go by the event (reading, "
            "translating, encoding, storing), a fifth by run and tick, the rest by run and "
            "second. What helped: git looks at a workspace again only when the watcher saw "
            "something, transactions as one function on their thread, statements for many rows, "
            "defaults left out of what is stored, one task that looks after all runs, fewer "
            "ticks with many runs. It would take translating and encoding in compiled code, and "
            "a run's state written less often than its events."
        ),
    )
]
