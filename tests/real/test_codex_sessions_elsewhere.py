"""Threads of the real Codex that were started without swarm-tui, counted to the token."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from house import House, ended, task
from loopback import (
    LoopbackServer,
    Step,
    codex_binary,
    codex_env,
    command,
    message,
    usage,
)
from usage.session_model import compress

from engine.agents.codex.rollout import find
from engine.domain.model import Usage
from engine.domain.usage import UsageGroup, UsageQuery
from engine.engine import Engine

LIMIT_S = 60.0


@pytest.fixture(params=["packaged", "newest"])
def codex(request: pytest.FixtureRequest) -> str:
    """Return one of the two binaries."""
    named = os.environ.get("SWARM_TEST_CODEX") if request.param == "newest" else codex_binary()
    if named is None or not os.access(named, os.X_OK):
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX")
    return named


class Elsewhere:
    """Codex as a user runs it by hand."""

    def __init__(self, program: str, house: House, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._env = codex_env(house.codex_home)
        folder.mkdir(parents=True)

    def exec(self, prompt: str, *thread: str) -> str:
        """Run a turn to its end, in a new thread or `resume ID` or `fork ID`; return the thread."""
        words = [*thread[:1], "--json", "--skip-git-repo-check", *thread[1:], "-"]
        done = subprocess.run(
            [self._program, "exec", *words],
            input=prompt,
            text=True,
            capture_output=True,
            env=self._env,
            cwd=self._folder,
            timeout=LIMIT_S,
            check=True,
        )
        return _thread(done.stdout)

    def kill(self, prompt: str, server: LoopbackServer, requests: int) -> str:
        """Kill a turn after so many requests, in the middle of a command; return the thread."""
        process = subprocess.Popen(
            [self._program, "exec", "--json", "--skip-git-repo-check", prompt],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=self._env,
            cwd=self._folder,
            start_new_session=True,
        )
        assert process.stdout
        lines: list[str] = []
        server.wait_for_requests(requests)
        for line in process.stdout:  # until the command of the last request has begun
            lines.append(line)
            if "item.started" in line and "sleep" in line:
                break
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=LIMIT_S)
        return _thread("".join(lines))


def _thread(stdout: str) -> str:
    lines = (json.loads(line) for line in stdout.splitlines() if line.startswith("{"))
    return next(line["thread_id"] for line in lines if line["type"] == "thread.started")


def _turn(*steps: Step) -> list[Step]:
    return list(steps)


async def test_sessions_from_elsewhere_agree_with_what_was_billed(
    house: House, server: LoopbackServer, codex: str, lab: Path
) -> None:
    billed: list[Usage] = []

    def bill(step: Step, tokens: int) -> Step:
        billed.append(Usage(tokens, tokens // 10, tokens // 20, tokens // 40, 1))
        return step.using(usage(tokens, tokens // 10, tokens // 20, tokens // 40))

    by_hand = Elsewhere(codex, house, lab / "shop")
    prompt = server.script(
        "hand",
        _turn(bill(command("echo 1"), 1000), bill(message("one"), 1100)),
        _turn(bill(message("two"), 1200)),
        _turn(bill(message("three"), 1300)),
        _turn(bill(message("four"), 1400)),
    )
    first = by_hand.exec(prompt)
    by_hand.exec("go on", "resume", first)
    fork = by_hand.exec("as a fork", "fork", first)
    by_hand.exec("on with the fork", "resume", fork)
    long = server.script("long", _turn(bill(command("echo 1"), 250_000), bill(message("x"), 1500)))
    by_hand.exec(long)
    billed.append(Usage(1000, 200, 50, 10, 1))  # the summary of the full context window
    stopped = server.script(
        "killed",
        _turn(bill(command("echo 1"), 1600), bill(command("sleep 100"), 1700)),
        _turn(bill(message("again"), 1800)),
    )
    thread = by_hand.kill(stopped, server, len(server.requests) + 2)
    by_hand.exec("go on", "resume", thread)
    assert len(server.requests) == len(billed)

    async with house.engine() as engine:
        other = sum(billed, Usage())
        assert await _counted(engine) == (other, other)
        own = await ended(engine, await engine.start(task(prompt, codex_bin=codex)))
        await engine.usage.catch_up(LIMIT_S)
        assert await _counted(engine) == (other, other + own.usage)
        # A compressed file is the same thread, and so is a run that is forgotten.
        path = find(house.codex_home, first)
        assert path
        compress(path)
        await engine.forgetting.forget([own.id])
        by_hand.exec("five", "resume", first)  # its third turn
        more = other + billed[3]
        assert await _counted(engine) == (more, more + own.usage)


async def _counted(engine: Engine) -> tuple[Usage, Usage]:
    """Return the usage of other sessions, and all usage, after all that is new was read."""
    await engine.usage.catch_up(LIMIT_S)
    report = await engine.usage.report(UsageQuery(UsageGroup.MODEL))
    return report.total.other, report.total.usage
