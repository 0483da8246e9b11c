"""Totals of runs of the real Codex agree to the token with what the model server billed."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from billing import billed, check
from house import House, NewHouse, ended, task, until
from loopback import (
    LoopbackServer,
    Step,
    call_in,
    codex_binary,
    command,
    context_window,
    first,
    message,
    rate_limited,
    server_error,
    stream_cut,
    usage,
    usage_limit,
)

from engine.agents.codex import limit_resets
from engine.domain.interaction import ModeChange
from engine.domain.model import Run, Status, Usage
from engine.engine import Engine
from engine.execution.local.process_marks import mark, marked

AGENTS_MODEL = "gpt-6-sol"
"""A model that starts sub-agents."""
WORK = command("true").using(usage(1000, 300, 50, 20))
MORE = command("true").using(usage(1500, 900, 31, 7))
DONE = message("done").using(usage(2000, 1700, 60, 11))


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


async def _started(engine: Engine, prompt: str, codex: str, **fields: Any) -> Run:
    return await engine.start(task(prompt, codex_bin=codex, **fields))


async def test_resumed_and_forked_threads(
    house: House, server: LoopbackServer, codex: str, is_interactive: bool
) -> None:
    prompt = server.script("a", [WORK, MORE, DONE], [MORE, DONE], [DONE])
    mode = ModeChange(interactive=is_interactive)
    async with house.engine() as engine:
        run = await _started(engine, prompt, codex, interactive=is_interactive)
        run = await ended(engine, run)
        check(server, house, run)
        assert run.usage == Usage(4500, 2900, 141, 38, requests=3)
        assert run.model == "gpt-5.5"
        run = await ended(engine, await engine.resume(run.id, "more"))
        check(server, house, run)
        fork = await ended(engine, await engine.forks.fork(run.id, "fork", mode))
        check(server, house, run, fork)
        fork = await ended(engine, await engine.resume(fork.id, "fork goes on"))
        # From one mode to the other, in one thread.
        other = ModeChange(interactive=not is_interactive)
        run = await ended(engine, await engine.resume(run.id, "other mode", other))
        run = await ended(engine, await engine.resume(run.id, "and back", mode))
    assert {run.status, fork.status} == {Status.SUCCEEDED}
    check(server, house, run, fork)


async def test_retry_after_a_kill(
    house: House, server: LoopbackServer, codex: str, is_interactive: bool
) -> None:
    hold = command("echo x >>held; sleep 300").using(usage(700, 50, 41, 3))
    prompt = server.script("dead", [WORK, hold], [MORE, DONE])
    async with house.engine() as engine:
        run = await _started(engine, prompt, codex, interactive=is_interactive)
        run = await until(engine, run, lambda now: "held" in now.doing)
        assert run.workspace
        while not Path(run.workspace.path, "held").exists():  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.02)
        _kill_all(house, run)
        run = await ended(engine, run)
        # The request whose command was running is counted, although no running total has it.
        check(server, house, run)
        run = await ended(engine, await engine.retry(run.id))
        check(server, house, run)
        fresh = server.script("fresh", [MORE, DONE])
        run = await ended(engine, await engine.retry(run.id, prompt=fresh, fresh=True))
    check(server, house, run)


def _kill_all(house: House, run: Run) -> None:
    for pid in marked(mark(house.attempt(run))):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


async def test_sub_agents(new_house: NewHouse, codex: str, is_interactive: bool) -> None:
    gate = threading.Event()
    with LoopbackServer() as server:
        server.script("grandchild", [message("hi").using(usage(777, 70, 33, 3))])
        server.script("child", [*_spawned("grandchild", "none"), DONE.after(gate)])
        top = [WORK, *_spawned("child", "all"), MORE, DONE]
        prompt = server.script("top", top, [MORE, *_spawned("grandchild", "all"), DONE])
        house = new_house(server.url, model=AGENTS_MODEL)
        async with house.engine() as engine:
            run = await _started(engine, prompt, codex, interactive=is_interactive)
            run = await until(engine, run, lambda now: now.usage.requests >= 4)
            gate.set()
            run = await ended(engine, run)
            assert run.status is Status.SUCCEEDED
            assert len({bill.thread for bill in server.bills}) == 3
            check(server, house, run)
            run = await ended(engine, await engine.resume(run.id, "again"))
        check(server, house, run)


@pytest.mark.parametrize("has_history", [False, True], ids=["new", "forked"])
async def test_sub_agent_of_models_before(
    house: House, server: LoopbackServer, codex: str, has_history: bool
) -> None:
    """A child is started with other tools, and may begin with a copy of its parent's thread."""
    server.script("child", [DONE])
    said = {"message": "[script:child] look", "fork_context": has_history}
    spawn = call_in("multi_agent_v1", "spawn_agent", said).using(usage(300, 200, 10, 1))
    wait = command("sleep 1").using(usage(301, 201, 11, 2))
    prompt = server.script("top", [WORK, spawn, wait, DONE])
    async with house.engine() as engine:
        run = await ended(engine, await _started(engine, prompt, codex))
    assert len({bill.thread for bill in server.bills}) == 2
    check(server, house, run)


async def test_sub_agent_with_another_model(
    new_house: NewHouse, codex: str, is_interactive: bool
) -> None:
    other = {"model": "gpt-6-luna"}
    with LoopbackServer() as server:
        server.script("child", [WORK, DONE])
        prompt = server.script("top", [WORK, *_spawned("child", "none", **other), DONE])
        house = new_house(server.url, model=AGENTS_MODEL)
        async with house.engine() as engine:
            run = await _started(engine, prompt, codex, interactive=is_interactive)
            run = await ended(engine, run)
        assert len({bill.model for bill in server.bills}) == 2
        assert run.model == AGENTS_MODEL
        check(server, house, run)


def _spawned(name: str, turns: str, **more: str) -> list[Step]:
    said = {"task_name": name, "message": f"[script:{name}] look", "fork_turns": turns, **more}
    return [
        call_in("collaboration", "spawn_agent", said).using(usage(300, 200, 10, 1)),
        call_in("collaboration", "wait_agent", {"timeout_ms": 10_000}).using(usage(400, 300, 9, 2)),
    ]


def _resets_soon(_message: str, _windows: object, _hits: int, now: float) -> float:
    return now + 0.1


async def test_usage_limit_and_the_continuation(
    house: House,
    server: LoopbackServer,
    codex: str,
    is_interactive: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Codex names only the minute of the reset: that of one just past is taken for tomorrow's.
    monkeypatch.setattr(limit_resets, "resets_at", _resets_soon)
    limited = usage_limit(resets_in=0)
    prompt = server.script("limit", [WORK, first(1, limited, MORE), DONE], [MORE, DONE])
    async with house.engine() as engine:
        run = await _started(engine, prompt, codex, interactive=is_interactive)
        run = await ended(engine, run)
    assert (run.status, run.attempt, run.limit_hits) == (Status.SUCCEEDED, 2, 1)
    check(server, house, run)


async def test_compaction(
    house: House, server: LoopbackServer, codex: str, is_interactive: bool
) -> None:
    full = replace(WORK, usage=usage(250_000, 200_000, 50, 20))
    prompt = server.script("long", [full, MORE, DONE], [MORE, DONE])
    async with house.engine() as engine:
        run = await _started(engine, prompt, codex, interactive=is_interactive)
        run = await ended(engine, run)
        assert any(request.position == -1 for request in server.requests)
        check(server, house, run)
        run = await ended(engine, await engine.resume(run.id, "more"))
    check(server, house, run)


async def test_full_context_window_begins_the_running_total_again(
    house: House, server: LoopbackServer, codex: str, is_interactive: bool
) -> None:
    prompt = server.script("full", [WORK, MORE, context_window()], [MORE, DONE], [DONE])
    async with house.engine() as engine:
        run = await _started(engine, prompt, codex, interactive=is_interactive)
        run = await ended(engine, run)
        assert run.error
        assert run.error.code == "CONTEXT_WINDOW_EXCEEDED"
        check(server, house, run)
        run = await ended(engine, await engine.resume(run.id, "more"))
        fork = await ended(engine, await engine.forks.fork(run.id, "fork"))
    check(server, house, run, fork)


async def test_failed_requests_bill_nothing(
    new_house: NewHouse, server: LoopbackServer, codex: str, is_interactive: bool
) -> None:
    house = new_house(request_max_retries=2, stream_max_retries=2)
    steps = [
        first(1, server_error(), WORK),
        first(1, stream_cut(message("lost").using(usage(9999))), MORE),
        DONE,
    ]
    prompt = server.script("bad", steps, [rate_limited()])
    async with house.engine() as engine:
        run = await _started(engine, prompt, codex, interactive=is_interactive)
        run = await ended(engine, run)
        assert run.status is Status.SUCCEEDED
        assert (run.usage.requests, len(server.requests)) == (3, 5)
    check(server, house, run)
    assert billed(server) == run.usage
