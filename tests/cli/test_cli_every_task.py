"""The tasks that only a whole program starts are made to fail, once and for ever."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import faulty
import pyte
import pytest
from faulty import TEXT
from pseudo import Terminal
from task_names import OF_PROGRAM
from typed import PATIENCE_S, Swarm

from engine.config.paths import Paths

PROGRAM = [sys.executable, faulty.__file__]
LIVE = ("queued", "preparing", "running")
ASKING = 'Ask\nsim: ask "npm ci"\nsim: say all done'
BUSY = ("run", "--detach", "--empty", "--agent", "simulated", "Busy bees\nsim: hang")
TESTED = {"answers", "screens", "demo", "browser window"}


def test_every_task_of_a_whole_program_is_made_to_fail_here() -> None:
    assert TESTED == OF_PROGRAM


def opened(here: Path, *words: str, **env: str) -> Terminal:
    """A program with faults in its tasks, in a terminal."""
    return Terminal(here, words, {**os.environ, **env}, PROGRAM, size=(160, 30))


@pytest.mark.parametrize("times", ["once", "always"])
def test_a_dashboard_goes_on_where_its_screens_cannot_be_imported_ahead(
    here: Path, swarm: Swarm, paths: Paths, times: str
) -> None:
    swarm(*BUSY)
    shown = opened(here, times, "screens")
    try:
        shown.until("Busy bees")
        if times == "always":
            shown.until("screens failed", TEXT)
        shown.type(b"6")  # a screen that is imported when it is asked for
        shown.until("F5 refresh")
        shown.type(b"\x1b")
        shown.until("Busy bees")
        assert "screens failed" in paths.log.read_text()
        shown.type(b"q")
        assert shown.end() == 0
    finally:
        shown.close()
    assert swarm("show", "@last", "--json").json["status"] in LIVE  # whoever supervises it now


def test_the_dashboard_of_a_demo_shows_that_its_script_failed(here: Path) -> None:
    shown = opened(here, "always", "demo", "demo")
    try:
        shown.until("demo failed", TEXT)
        shown.type(b"q")  # it has started no run
        assert shown.end() == 0
    finally:
        shown.close()


@pytest.mark.parametrize(("times", "code"), [("once", 0), ("always", 1)])
def test_a_demo_without_a_terminal_ends_whatever_becomes_of_its_script(
    here: Path, times: str, code: int
) -> None:
    done = subprocess.run(
        [*PROGRAM, times, "demo", "demo"], cwd=here, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code
    # On a busy machine it has failed more than once before the first failure is printed.
    failed = rf"demo failed( \d+ times)? and is tried again: Injected: {re.escape(TEXT)}"
    assert re.search(failed, done.stderr), done.stderr
    ended = "All 20 runs ended as scripted." if times == "once" else "Not as scripted:"
    assert ended in done.stdout


@pytest.mark.parametrize("times", ["once", "always"])
def test_a_watched_run_goes_on_where_it_cannot_ask_in_place(
    here: Path, swarm: Swarm, times: str
) -> None:
    swarm("run", "--detach", "--empty", "--agent", "simulated", "--interactive", ASKING)
    assert swarm("wait", "--needs-input", "@last").code == 75
    shown = opened(here, times, "answers", "watch", "@last")
    try:
        shown.until("answers failed", TEXT)
        if times == "once":
            shown.until("y approve")
            shown.type(b"y")
        else:
            (request,) = swarm("inbox", "--json").json
            swarm("approve", request["id"])
        shown.until("all done")
        assert shown.end() == 0
    finally:
        shown.close()


class Window:
    """A dashboard as `serve` starts it, and what is on its screen."""

    def __init__(self, here: Path, times: str) -> None:
        driver = {"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver"}
        env = {**os.environ, **driver}
        self._screen = pyte.Screen(80, 24)  # until a browser tells its size
        self._stream = pyte.ByteStream(self._screen)
        self.process = subprocess.Popen(
            [*PROGRAM, times, "browser window"],
            cwd=here,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def until(self, *wanted: str) -> None:
        """Read packets until all of these are on the screen."""
        assert self.process.stdout
        while not all(text in "\n".join(self._screen.display) for text in wanted):
            kind = self.process.stdout.read(1)
            assert kind, f"it ended before {wanted}: {self._screen.display}"
            if kind not in (b"D", b"M"):
                continue  # the line before the first packet
            size = int.from_bytes(self.process.stdout.read(4), "big")
            data = self.process.stdout.read(size)
            if kind == b"D":
                self._stream.feed(data)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize("times", ["once", "always"])
def test_a_dashboard_in_a_browser_goes_on_where_it_cannot_see_its_server(
    here: Path, swarm: Swarm, paths: Paths, times: str
) -> None:
    swarm(*BUSY)
    window = Window(here, times)
    try:
        window.until("Busy bees")
        assert "browser window failed" in paths.log.read_text()
        if times == "always":
            window.until("FAULT browser window failed")
            window.process.terminate()  # it cannot see that its server is gone
        window.process.communicate(timeout=PATIENCE_S)  # its server goes
    finally:
        window.close()
    assert window.process.returncode == 0
    assert swarm("show", "@last", "--json").json["status"] in LIVE  # whoever supervises it now
