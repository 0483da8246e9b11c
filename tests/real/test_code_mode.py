"""Models in code mode, with sub-agents and pauses: the newest Codex, where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import repos
from house import NewHouse, ended, happened, task
from loopback import LoopbackServer, call_in, execute, message, usage

from engine.config.settings import WatchdogSettings
from engine.domain.events import Notice, Step
from engine.domain.model import Status

MODEL = "gpt-6-sol"
NPM_S = 20.0


def _newest() -> str | None:
    if named := os.environ.get("SWARM_TEST_CODEX"):
        return named
    npm = shutil.which("npm")
    if npm is None:
        return None
    try:
        done = subprocess.run(
            [npm, "root", "-g"], capture_output=True, text=True, timeout=NPM_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    path = Path(done.stdout.strip() or "/nowhere") / "@openai/codex/bin/codex.js"
    return str(path) if os.access(path, os.X_OK) else None


@pytest.fixture(scope="module")
def newest() -> str:
    """Find a Codex whose models work in code mode."""
    found = _newest()
    if found is None:
        pytest.skip("no Codex of npm's: set SWARM_TEST_CODEX, or npm install -g @openai/codex")
    models = subprocess.run([found, "debug", "models"], capture_output=True, text=True, check=False)
    if MODEL not in models.stdout:
        pytest.skip(f"this Codex does not know {MODEL}")
    return found


async def test_command_in_code_mode(
    newest: str, new_house: NewHouse, server: LoopbackServer
) -> None:
    run_it = execute('text((await tools.exec_command({cmd: "echo hi"})).output)')
    prompt = server.script("code", [run_it, message("done")])
    async with new_house(model=MODEL).engine() as engine:
        run = await ended(engine, await engine.start(task(prompt, codex_bin=newest)))
        steps: list[Any] = await happened(engine, run, Step)
    assert run.status is Status.SUCCEEDED
    assert [(s.text, s.output) for s in steps if s.kind == "command"] == [
        ("echo hi", None),
        ("echo hi", "hi\n"),
    ]


async def test_sub_agent_has_a_rollout_and_tokens_of_its_own(
    newest: str, new_house: NewHouse, lab: Path
) -> None:
    said = {"task_name": "helper", "message": "look", "fork_turns": "none"}
    with LoopbackServer([message("hi").using(usage(777, output=33))]) as server:
        steps = [
            call_in("clock", "sleep", {"duration_ms": 300}),
            call_in("collaboration", "spawn_agent", said),
            call_in("collaboration", "wait_agent", {"timeout_ms": 10_000}),
            message("done"),
        ]
        prompt = server.script("agents", steps)
        async with new_house(server.url, model=MODEL).engine() as engine:
            run = await ended(engine, await engine.start(task(prompt, codex_bin=newest)))
            told: list[Any] = await happened(engine, run, Step)
    assert run.status is Status.SUCCEEDED
    assert len(list((lab / "codex/sessions").rglob("rollout-*.jsonl"))) == 2
    assert run.usage.input == 4000 + 777
    assert run.usage.output == 200 + 33
    assert {(s.kind, s.phase) for s in told if s.role == "tool"} == {
        ("sleep", "started"),
        ("sleep", "completed"),
        ("agent", "started"),
        ("agent", "completed"),
    }


async def test_patch_in_code_mode(newest: str, new_house: NewHouse, server: LoopbackServer) -> None:
    body = "*** Begin Patch\\n*** Add File: a/b.txt\\n+x\\n+y\\n*** End Patch\\n"
    patch = execute(f'await tools.apply_patch("{body}")')
    prompt = server.script("patch", [patch, message("done")])
    async with new_house(model=MODEL).engine() as engine:
        run = await ended(engine, await engine.start(task(prompt, codex_bin=newest)))
        told: list[Any] = await happened(engine, run, Step)
        diff = await repos.written(partial(engine.workspaces.write_diff, run.id))
    assert run.status is Status.SUCCEEDED
    assert [(s.kind, s.phase, s.text) for s in told if s.role == "tool"] == [
        ("file_change", "started", "a/b.txt"),
        ("file_change", "completed", "a/b.txt"),
    ]
    assert run.changes
    assert (run.changes.files, run.changes.insertions, run.changes.deletions) == (1, 2, 0)
    assert b"+x\n+y\n" in diff


def _spawned(name: str, wait_ms: int = 10_000) -> list[Any]:
    """Return the steps that start a sub-agent with the script `name` and wait for it."""
    said = {"task_name": name, "message": f"[script:{name}] look", "fork_turns": "none"}
    return [
        call_in("collaboration", "spawn_agent", said),
        call_in("collaboration", "wait_agent", {"timeout_ms": wait_ms}),
    ]


async def test_agent_of_an_agent_is_counted_once(
    newest: str, new_house: NewHouse, lab: Path
) -> None:
    with LoopbackServer() as server:
        server.script("grandchild", [message("hi").using(usage(777, output=33))])
        server.script("child", [*_spawned("grandchild"), message("hi")])
        prompt = server.script("top", [*_spawned("child"), message("done")])
        async with new_house(server.url, model=MODEL).engine() as engine:
            run = await ended(engine, await engine.start(task(prompt, codex_bin=newest)))
            sessions = await engine.disk.sessions.find()
    assert run.status is Status.SUCCEEDED
    assert (run.usage.input, run.usage.output) == (6 * 1000 + 777, 6 * 50 + 33)
    assert len(list((lab / "codex/sessions").rglob("rollout-*.jsonl"))) == 3
    assert [session.run and session.run.id for session in sessions] == [run.id] * 3


async def test_tokens_of_sub_agents_count_in_the_budget(newest: str, new_house: NewHouse) -> None:
    with LoopbackServer() as server:
        gate = threading.Event()
        costly = message("hi").using(usage(100_000))
        server.script("grandchild", [costly])
        server.script("child", [*_spawned("grandchild"), message("hi").after(gate)])
        prompt = server.script("top", [*_spawned("child", 60_000), message("done")])
        spec = task(prompt, codex_bin=newest, budget_tokens=50_000)
        async with new_house(server.url, model=MODEL).engine() as engine:
            run = await ended(engine, await engine.start(spec))
    assert run.error
    assert run.error.code == "BUDGET_EXCEEDED"


@pytest.mark.parametrize("how", ["agents", "sleep"])
async def test_waiting_is_no_stall(newest: str, new_house: NewHouse, how: str) -> None:
    steps = [call_in("clock", "sleep", {"duration_ms": 5000})]
    settings = WatchdogSettings(silent_s=2.0, action="fail")
    with LoopbackServer() as server:
        server.script("child", [*steps, message("hi")])
        if how == "agents":
            steps = _spawned("child")
        prompt = server.script("top", [*steps, message("done")])
        spec = task(prompt, codex_bin=newest)
        async with new_house(server.url, model=MODEL).engine(watchdog=settings) as engine:
            run = await ended(engine, await engine.start(spec))
            notices = [notice.text for notice in await happened(engine, run, Notice)]
    assert (run.status, run.error) == (Status.SUCCEEDED, None)
    assert notices == []
