"""A run's thread in the real interactive Codex, in a pseudo-terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from billing import billed
from house import ROOT, House, ended, task
from loopback import LoopbackServer, add_file, message, patch
from pseudo import Terminal

from engine.domain.model import Status

CURSOR, ANSWER = b"\x1b[6n", b"\x1b[1;1R"


class AnsweringTerminal(Terminal):
    """A terminal that answers where its cursor is: Codex asks at its start."""

    _answered = 0

    def _read(self) -> bool:
        is_open = super()._read()
        asked = self.raw.count(CURSOR)
        self.type(ANSWER * (asked - self._answered) if is_open else b"")
        self._answered = asked
        return is_open


def talk(house: House, run: str) -> None:
    """Open a thread in Codex, send it a prompt, and leave it."""
    command = [sys.executable, str(ROOT / "swarm_tui.py")]
    env = {"SWARM_HOME": str(house.paths.home), "HOME": os.environ["HOME"]}
    terminal = AnsweringTerminal(Path("/"), ["codex", run], env, command, size=(100, 40))
    try:
        terminal.until("First done.", "Ask Codex to do anything")
        terminal.type(b"[script:more] Go on.")
        terminal.until("[script:more] Go on.")
        terminal.type(b"\r")
        terminal.until("More done.")
        terminal.type(b"/quit")
        terminal.until("/quit")
        terminal.type(b"\r")
        assert terminal.end() == 0
    finally:
        terminal.close()


async def test_the_thread_goes_on_in_the_real_codex(house: House, server: LoopbackServer) -> None:
    first = server.script("first", [patch(add_file("a.txt", "a")), message("First done.")])
    server.script("more", [patch(add_file("b.txt", "b")), message("More done.")])
    last = server.script("last", [message("Last done.")])
    with (house.codex_home / "config.toml").open("a") as config:
        config.write('\n[notice.model_migrations]\n"gpt-5.5" = "gpt-6-sol"\n')
    async with house.engine() as engine:
        run = await ended(engine, await engine.start(task(first)))
    assert run.status is Status.SUCCEEDED
    assert run.workspace
    with (house.codex_home / "config.toml").open("a") as config:
        config.write(f'\n[projects."{run.workspace.path}"]\ntrust_level = "trusted"\n')
    talk(house, run.id)
    async with house.engine() as engine:
        seen = await engine.find(run.id)
        assert seen.changes.files == 2
        assert seen.checkpoint == (run.checkpoint or 0) + 1
        assert seen.usage.input == run.usage.input * 2
        seen = await ended(engine, await engine.resume(run.id, last))
        assert seen.status is Status.SUCCEEDED
        assert seen.usage.input == run.usage.input * 2 + 1000
    # Codex's own screen has a title made, in a thread that it does not keep.
    assert seen.usage == billed(server, lambda bill: bill.thread == seen.thread_id)
    assert "Go on." in str(server.requests[-1].body["input"])
