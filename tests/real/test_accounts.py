"""Accounts with the real Codex: a thread goes on elsewhere, and each account pays its own part."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from billing import billed, ledger
from house import LIMIT_S, House, ended, happened, task
from loopback import (
    LoopbackServer,
    codex_binary,
    codex_home,
    command,
    message,
    usage,
    usage_limit,
)

from engine.agents.codex.account_settings import (
    AccountHome,
    AccountName,
    AccountSettings,
    KeyVariable,
)
from engine.agents.codex.settings import CodexSettings
from engine.domain.account import AccountChosen
from engine.domain.model import Run, Status
from engine.engine import Engine

WORK = command('echo "[$CODEX_HOME]" >>homes').using(usage(1000, 300, 50, 20))
MORE = command("echo x >>more").using(usage(1500, 900, 31, 7))
DONE = message("done").using(usage(2000, 1700, 60, 11))
FULL = usage_limit()
KEY = "test-key-of-work"
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from engine.agents.codex import thread_files
from engine.config import settings
from engine.config.paths import Paths
from engine.engine import Engine

async def main():
    paths = Paths(Path(sys.argv[1]), Path(sys.argv[2]))
    thread_files._linked = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    async with Engine.open(paths, settings.parse(sys.argv[3], "config"), supervise=True):
        await asyncio.sleep(60)

asyncio.run(main())
"""
"""A supervisor that dies while it copies the thread's file."""


@pytest.fixture(params=["packaged", "newest"])
def codex(request: pytest.FixtureRequest) -> str:
    """Return one of the two binaries."""
    named = os.environ.get("SWARM_TEST_CODEX") if request.param == "newest" else codex_binary()
    if named is None or not os.access(named, os.X_OK):
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX")
    return named


@pytest.fixture(params=[False, True], ids=["exec", "interactive"])
def is_interactive(request: pytest.FixtureRequest) -> bool:
    """Return one of the two modes."""
    return request.param


@pytest.fixture
def other() -> Iterator[LoopbackServer]:
    """Run the model server of the other account."""
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def work(lab: Path, other: LoopbackServer) -> dict[str, Any]:
    """Return settings with an account that has a home of its own."""
    home = codex_home(lab / "codex-work", other)
    account = AccountSettings(AccountName("work"), AccountHome(str(home)))
    return {"accounts": (account,), "codex": CodexSettings(on_limit="next")}


def scripted(server: LoopbackServer, other: LoopbackServer) -> str:
    """Script a run whose second turn is under the other account."""
    other.script("a", [], [MORE, DONE], [DONE])
    return server.script("a", [WORK, FULL], [DONE])


def check(house: House, server: LoopbackServer, other: LoopbackServer, *runs: Run) -> None:
    """Check that runs and ledger have what both servers billed, each account its own part."""
    parts = {"default": billed(server), "work": billed(other)}
    counted = [run.usage for run in runs]
    assert sum(counted[1:], counted[0]) == parts["default"] + parts["work"]
    assert ledger(house, "account") == parts


async def test_at_a_limit_the_thread_goes_on_under_the_next_account(
    house: House,
    server: LoopbackServer,
    other: LoopbackServer,
    work: dict[str, Any],
    codex: str,
    is_interactive: bool,
) -> None:
    prompt = scripted(server, other)
    async with house.engine(**work) as engine:
        run = await engine.start(task(prompt, codex_bin=codex, interactive=is_interactive))
        run = await ended(engine, run)
        assert (run.status, run.account, run.attempt) == (Status.SUCCEEDED, "work", 2)
        check(house, server, other, run)
        # The other account got the whole history.
        told = json.dumps(other.requests[0].body["input"])
        assert prompt in told
        assert "homes" in told
        assert run.workspace
        assert Path(run.workspace.path, "homes").read_text() == f"[{house.codex_home}]\n"
        run = await ended(engine, await engine.resume(run.id, "more"))
        assert run.account == "work"
        fork = await ended(engine, await engine.forks.fork(run.id, "fork"))
        assert (fork.status, fork.account) == (Status.SUCCEEDED, "work")
        check(house, server, other, run, fork)
        assert [one.account for one in await happened(engine, run, AccountChosen)] == ["work"]


async def test_a_killed_supervisor_between_limit_and_move_loses_and_doubles_nothing(
    house: House, server: LoopbackServer, other: LoopbackServer, work: dict[str, Any]
) -> None:
    prompt = scripted(server, other)
    async with Engine.open(house.paths) as engine:
        run = await engine.start(task(prompt))
    (account,) = work["accounts"]
    settings = f"accounts: [{{name: work, codex_home: {account.codex_home}}}]\n"
    settings += "codex: {on_limit: next}\n"
    words = [sys.executable, "-c", KILLED, str(house.paths.home), str(house.paths.config), settings]
    done = await asyncio.to_thread(
        subprocess.run, words, timeout=LIMIT_S, check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    async with house.engine(**work) as engine:
        run = await ended(engine, run)
    assert (run.status, run.account, run.attempt) == (Status.SUCCEEDED, "work", 2)
    check(house, server, other, run)


async def test_the_key_of_an_account_reaches_codex_alone(
    house: House,
    server: LoopbackServer,
    lab: Path,
    codex: str,
    is_interactive: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORK_KEY", KEY)
    home = codex_home(lab / "codex-work", server)
    config = home / "config.toml"
    config.write_text(config.read_text() + "requires_openai_auth = true\n")
    account = AccountSettings(AccountName("work"), AccountHome(str(home)), KeyVariable("WORK_KEY"))
    say = command('echo "[$WORK_KEY$CODEX_API_KEY$OPENAI_API_KEY]" >>keys')
    prompt = server.script("a", [say, DONE])
    async with house.engine(accounts=(account,)) as engine:
        run = await engine.start(
            task(prompt, codex_bin=codex, interactive=is_interactive, account="work")
        )
        run = await ended(engine, run)
    assert run.status is Status.SUCCEEDED, run.error
    keys = {request.headers.get("authorization") for request in server.requests}
    assert keys == {f"Bearer {KEY}"}
    assert run.workspace
    assert Path(run.workspace.path, "keys").read_text() == "[]\n"
    for folder in (house.paths.home, home):
        for path in folder.rglob("*"):
            assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
