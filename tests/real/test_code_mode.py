"""Models in code mode, with sub-agents and pauses: the newest Codex, where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from house import NewHouse, ended, happened, task
from loopback import LoopbackServer, call_in, execute, message, usage

from engine.domain.events import Step
from engine.domain.model import Status

pytestmark = pytest.mark.timeout(90)
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
