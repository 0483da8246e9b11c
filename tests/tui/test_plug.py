"""The real dashboard in a pseudo-terminal: however it goes away, its runs go on."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pyte
import pytest
from support import settled, spec, texts

from engine.config.paths import Paths
from engine.domain.events import Event
from engine.domain.model import Status
from engine.engine import Engine, read_holder

LINES, COLUMNS, PATIENCE_S = 80, 120, 60
COUNT = 120
PROGRAM = Path(__file__).resolve().parents[2] / "swarm_tui.py"
# Not pty.fork: Python warns of forking where there are threads.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Dashboard:
    """`swarm-tui` in a window of its own, and what is on the screen."""

    def __init__(self, here: Path) -> None:
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self.window, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        # xdist has a size of its own in the environment, which would win.
        size = {"COLUMNS": str(COLUMNS), "LINES": str(LINES)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, sys.executable, str(PROGRAM)],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=here,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **size},
            start_new_session=True,
        )
        os.close(inner)

    def until(self, *wanted: str) -> None:
        """Read on until all of these are on the screen."""
        while not all(text in self.text for text in wanted):
            assert self._read(), f"it ended before {wanted}:\n{self.text}"

    def end(self) -> int:
        """Read the rest and return the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """Close the window."""
        if self.window >= 0:
            os.close(self.window)
            self.window = -1

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.window], [], [], PATIENCE_S)
        assert ready, f"nothing for {PATIENCE_S} s:\n{self.text}"
        try:
            data = os.read(self.window, 65536)
        except OSError:  # what Linux says when the other end has closed
            data = b""
        self._stream.feed(data)
        return bool(data)


@pytest.fixture
def opened(tmp_path: Path, paths: Paths) -> Iterator[Callable[[], Dashboard]]:
    with ExitStack() as stack:

        def begin() -> Dashboard:
            dashboard = Dashboard(tmp_path)
            stack.callback(dashboard.process.wait, PATIENCE_S)
            stack.callback(dashboard.process.kill)
            stack.callback(dashboard.close)
            return dashboard

        yield begin
        with suppress(TimeoutError):
            asyncio.run(_end_all(paths))


async def _end_all(paths: Paths) -> None:
    """End what a test that failed left alive."""
    async with Engine.open(paths, supervise=True) as engine:
        for run_id in list(engine.view.live):
            await engine.cancel(run_id, kill=True)
        await settled(engine)


async def queue(paths: Paths, count: int) -> None:
    """Queue runs, and leave it to others to see to them."""
    paths.config.write_text("slots: 8\nqueue: {stagger_s: 0}\n")
    async with Engine.open(paths, follow=False) as engine:
        for number in range(count):
            await engine.start(spec(f"numbered {COUNT} every=0.05", title=f"Run {number}"))


async def ended_events(paths: Paths) -> dict[str, list[Event]]:
    """Wait until all runs have ended, whoever sees to them, and give their events."""
    async with Engine.open(paths) as engine:
        try:
            await settled(engine)
        except TimeoutError:
            states = {run.id: str(run.status) for run in engine.view.runs.values()}
            log = paths.log.read_text(errors="replace") if paths.log.exists() else "no log"
            pytest.fail(f"{states}, {read_holder(paths.lock)}\n{log}")
        assert {run.status for run in engine.view.runs.values()} == {Status.SUCCEEDED}
        return {run_id: await engine.events(run_id) for run_id in engine.view.runs}


def check(events: dict[str, list[Event]], count: int) -> None:
    """Check that everything every run said is there, once."""
    assert len(events) == count
    for of_run in events.values():
        assert [event.seq for event in of_run] == list(range(1, len(of_run) + 1))
        assert texts(of_run) == [f"n {number}" for number in range(1, COUNT + 1)]


def quit_and_leave(dashboard: Dashboard) -> None:
    os.write(dashboard.window, b"q")
    dashboard.until("2 runs continue. `swarm-tui` shows them")
    assert dashboard.end() == 0


def close_window(dashboard: Dashboard) -> None:
    dashboard.close()
    dashboard.process.wait(PATIENCE_S)


def terminate(dashboard: Dashboard) -> None:
    dashboard.process.send_signal(signal.SIGTERM)
    assert dashboard.end() == 0


@pytest.mark.parametrize("go", [quit_and_leave, close_window, terminate])
def test_runs_go_on_in_the_background(
    opened: Callable[[], Dashboard], paths: Paths, go: Callable[[Dashboard], None]
) -> None:
    asyncio.run(queue(paths, 2))
    dashboard = opened()
    dashboard.until("2 running", "says     n 5")
    go(dashboard)
    check(asyncio.run(ended_events(paths)), 2)


def test_after_a_kill_the_next_dashboard_shows_the_runs_as_they_are(
    opened: Callable[[], Dashboard], paths: Paths
) -> None:
    asyncio.run(queue(paths, 5))
    for signs in (
        (" running", "says     n 5"),
        ("says     n ",),
    ):  # the second may find them further on
        dashboard = opened()
        dashboard.until(*signs)
        dashboard.process.kill()
        dashboard.end()
    dashboard = opened()
    dashboard.until("Runs 5", "5 done")
    os.write(dashboard.window, b"q")
    assert dashboard.end() == 0
    check(asyncio.run(ended_events(paths)), 5)
