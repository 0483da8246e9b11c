"""A supervisor that is killed between a limit and the move: nothing is lost, nothing is twice."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import LIMIT_S, of_type, spec, supervising, texts, until

from engine.agents.codex.account_settings import AccountHome, AccountName, AccountSettings
from engine.agents.codex.settings import CodexSettings
from engine.config.paths import Paths
from engine.domain.model import Status
from engine.engine import Engine

USAGE = "usage input=100 cached=40 output=10"
LIMIT = "fail You’ve hit your usage limit. Try again in 2 hours."
MOVED = (
    *("account default", "say one", USAGE, LIMIT, "end"),
    *("account work", USAGE, "say two", "end"),
)
SETTINGS = {
    "accounts": (AccountSettings(AccountName("work"), AccountHome("/nowhere")),),
    "codex": CodexSettings(on_limit="next"),
}
PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from engine.agents.codex import thread_files
from engine.config import settings
from engine.config.paths import Paths
from engine.engine import Engine
from engine.execution import outcome, scheduler, supervisor
from engine.execution.stages import agent
from engine.supervision import Supervision

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def after(name, holder):
    real = getattr(holder, name)
    def wrapped(*args, **more):
        real(*args, **more)
        die()
    setattr(holder, name, wrapped)

POINTS = {
    "before the hold is stored": lambda: setattr(Supervision, "_pause", die),
    "before the run is queued": lambda: after_pause(),
    "before an account is chosen": lambda: setattr(scheduler, "AccountChosen", die),
    "before the copy": lambda: setattr(agent, "bring_threads", die),
    "in the copy": lambda: setattr(thread_files, "_linked", die),
    "after the copy": lambda: after("bring_threads", agent),
}

def after_pause():
    real = Supervision._pause
    async def pause(self, wanted):
        await real(self, wanted)
        if wanted:
            die()
    Supervision._pause = pause

async def main():
    home, config, point = sys.argv[1:]
    POINTS[point]()
    text = "accounts: [{name: work, codex_home: /nowhere}]\\ncodex: {on_limit: next}\\n"
    paths = Paths(Path(home), Path(config))
    async with Engine.open(paths, settings.parse(text, "config"), supervise=True) as engine:
        await asyncio.sleep(60)

asyncio.run(main())
"""
POINTS = (
    "before the hold is stored",
    "before the run is queued",
    "before an account is chosen",
    "before the copy",
    "in the copy",
    "after the copy",
)


@pytest.mark.parametrize("point", POINTS)
async def test_a_killed_supervisor_moves_the_run_once(paths: Paths, point: str) -> None:
    async with Engine.open(paths) as engine:
        run = await engine.start(spec(*MOVED, interactive=False))
    arguments = [sys.executable, "-c", PROGRAM, str(paths.home), str(paths.config), point]
    done = await asyncio.to_thread(
        subprocess.run, arguments, timeout=LIMIT_S, check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    async with supervising(paths, **SETTINGS) as engine:
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        run = engine.view.runs[run.id]
        events = await engine.events(run.id)
    assert (run.status, run.account, run.attempt) == (Status.SUCCEEDED, "work", 2), run.error
    assert texts(events) == ["one", "two"]
    assert run.usage.input == 200
    assert [one.account for one in of_type(events, "account")] == ["work"]
    files = [*paths.home.glob(f"simulated*/sessions/*/*/*/*{run.thread_id}*")]
    assert len(files) == 2
    assert len({Path(file).name for file in files}) == 1
