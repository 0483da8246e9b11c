"""A terminal that disappears, changes its size, or is not what the environment says."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from pathlib import Path

import pytest
from pseudo import TAKE_TERMINAL, Opener, Terminal
from typed import COMMAND, Swarm

BUSY = ("run", "--empty", "--agent", "simulated", "--title", "busy", "sim: say busy\nsim: hang")
DEAF = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {TAKE_TERMINAL}"
"""Leads a session that ignores SIGHUP, and so does its command."""


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pseudo.TAKE_TERMINAL", DEAF)


@pytest.mark.usefixtures("deaf")
def test_dashboard_exits_when_its_terminal_disappears_without_sighup(terminal: Opener) -> None:
    shown = terminal()
    shown.until("n new")
    shown.hang_up()  # waits for the end


@pytest.mark.usefixtures("deaf")
@pytest.mark.parametrize("words", [BUSY, ("watch", "@last")])
def test_command_exits_when_its_terminal_disappears_without_sighup(
    terminal: Opener, swarm: Swarm, words: tuple[str, ...]
) -> None:
    if words[0] == "watch":
        swarm(*BUSY, "--detach")
    shown = terminal(*words)
    shown.until("busy", "running")
    shown.hang_up()
    swarm("cancel", "@last")


def test_dashboard_uses_the_size_of_the_terminal(terminal: Opener) -> None:
    shown = terminal(COLUMNS="40", LINES="5")
    shown.until("n new")
    resize(shown, 100, 30)
    shown.until("L all runs")  # only a wide key bar has room for it


def test_dashboard_draws_to_the_terminal_when_stderr_is_redirected(here: Path) -> None:
    log = here / "log"
    redirected = ["/bin/sh", "-c", f'exec "$@" 2>{log}', "sh", *COMMAND]
    shown = Terminal(here, (), dict(os.environ), redirected)
    try:
        shown.until("n new")
        shown.type(b"q")
        shown.end()
    finally:
        shown.close()
    assert not log.read_text(), log.read_text()


def resize(shown: Terminal, columns: int, lines: int) -> None:
    size = struct.pack("HHHH", lines, columns, 0, 0)
    fcntl.ioctl(shown._file, termios.TIOCSWINSZ, size)
    shown.screen.resize(lines, columns)
