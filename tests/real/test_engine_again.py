"""The real Codex goes on: after failures that pass, after limits, after kills; else it fails."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from billing import check
from house import (
    LIMIT_S,
    House,
    bodies,
    carried,
    ended,
    files,
    happened,
    task,
    until,
)
from loopback import (
    LoopbackServer,
    Step,
    command,
    context_window,
    http_error,
    message,
    overloaded,
    quota_exceeded,
    rate_limited,
    rate_limits,
    response_failed,
    server_error,
    stream_cut,
    unauthorized,
    usage_limit,
)
from loopback import usage as cost

from engine.agents.codex import limit_resets
from engine.domain.errors import CATALOGUE
from engine.domain.events import LimitsSeen, Notice, Progressed, StatusChanged, UsageCounted
from engine.domain.events import Step as Told
from engine.domain.model import Run, Status, Usage
from engine.domain.reasons import Cause, reason
from engine.domain.requests import GO_ON
from engine.engine import Engine
from engine.execution import follower, outcome
from engine.execution.local.process_marks import mark, marked

WORK = command("echo x >>count.txt")
DONE = message("Done.")

PASSING: dict[str, tuple[Step, str]] = {
    "500": (server_error(500), "API_OVERLOADED"),
    "502": (http_error(502, "<html>"), "API_OVERLOADED"),
    "503": (server_error(503), "API_OVERLOADED"),
    "capacity": (overloaded(), "API_OVERLOADED"),
    "cut": (stream_cut(), "API_UNREACHABLE"),
    "cut in a message": (stream_cut(message("I wi")), "API_UNREACHABLE"),
    "other": (response_failed("odd", "something odd"), "API_UNREACHABLE"),
}
LASTING: dict[str, tuple[Step, str]] = {
    "401": (unauthorized(), "CODEX_AUTH_FAILED"),
    "403": (http_error(403, "no"), "CODEX_AUTH_FAILED"),
    "404": (http_error(404, "no model"), "API_REFUSED"),
    "400": (http_error(400, "odd"), "AGENT_CRASHED"),
    "quota": (quota_exceeded(), "QUOTA_EXCEEDED"),
    "no plan": (http_error(429, {"error": {"type": "usage_not_included"}}), "QUOTA_EXCEEDED"),
    "room": (context_window(), "CONTEXT_WINDOW_EXCEEDED"),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "BACKOFF_S", 0.01)
    monkeypatch.setattr(limit_resets, "MARGIN_S", 0.5)
    monkeypatch.setattr(limit_resets, "UNKNOWN_S", 0.5)


def turns(server: LoopbackServer, name: str, trouble: Step) -> str:
    """A first turn that works and then meets trouble, and the next, which works again."""
    return server.script(name, [WORK, trouble], [WORK, DONE])


async def threads(engine: Engine, run: Run) -> list[str]:
    """The threads that the attempts were of."""
    told = await happened(engine, run, Progressed)
    return [body.details["thread_id"] for body in told if "thread_id" in (body.details or {})]


def heard(server: LoopbackServer) -> list[str]:
    """What the user said, as the last request has it."""
    said = [item for item in server.requests[-1].body["input"] if item.get("role") == "user"]
    return [part["text"] for item in said for part in item["content"]]


# What can pass, and what cannot


@pytest.mark.parametrize("name", PASSING)
async def test_what_can_pass_goes_on_in_the_same_thread(
    name: str, house: House, server: LoopbackServer
) -> None:
    trouble, code = PASSING[name]
    async with house.engine() as engine:
        run = await carried(engine, task(turns(server, "again", trouble), retries=2))
        notices = [notice.text for notice in await happened(engine, run, Notice)]
        assert (run.status, run.attempt, run.retries_used) == (Status.SUCCEEDED, 2, 1)
        assert await threads(engine, run) == [run.thread_id] * 2
        reasons = [body.reason for body in await happened(engine, run, StatusChanged)]
    assert f"automatic retry 1 after {code}" in reasons
    assert any("Trying again in" in text for text in notices)
    assert run.workspace
    assert files(Path(run.workspace.path)) == {"count.txt": "x\nx\n"}
    assert heard(server)[-2:] == ["[script:again]", GO_ON]


async def test_it_fails_when_the_retries_are_used_up(house: House, server: LoopbackServer) -> None:
    async with house.engine() as engine:
        run = await carried(engine, task(server.script("bad", [overloaded()]), retries=2))
        assert await threads(engine, run) == [run.thread_id] * 3
    assert (run.status, run.attempt, run.retries_used) == (Status.FAILED, 3, 2)
    assert run.error
    assert run.error.code == "API_OVERLOADED"


@pytest.mark.parametrize("name", LASTING)
async def test_what_cannot_pass_is_not_tried_again(
    name: str, house: House, server: LoopbackServer
) -> None:
    trouble, code = LASTING[name]
    async with house.engine() as engine:
        run = await carried(engine, task(turns(server, "once", trouble), retries=2))
    assert (run.status, run.attempt, run.retries_used) == (Status.FAILED, 1, 0)
    assert run.error
    assert (run.error.code, run.error.recovery) == (code, CATALOGUE[code].recovery)
    assert run.workspace  # kept
    assert files(Path(run.workspace.path)) == {"count.txt": "x\n"}


async def test_a_message_that_met_trouble_is_in_the_thread_that_goes_on(
    house: House, server: LoopbackServer
) -> None:
    async with house.engine() as engine:
        prompt = server.script("talk", [DONE], [stream_cut()], [DONE])
        run = await carried(engine, task(prompt, retries=1))
        run = await ended(engine, await engine.resume(run.id, "And now the doors."))
    assert (run.status, run.attempt) == (Status.SUCCEEDED, 3)
    assert heard(server)[-3:] == ["[script:talk]", "And now the doors.", GO_ON]


# Limits


async def test_a_usage_limit_waits_until_it_resets_and_the_thread_goes_on(
    house: House, server: LoopbackServer
) -> None:
    gate = threading.Event()
    prompt = server.script("limit", [WORK.after(gate)])
    async with house.engine(slots=1) as engine:
        run = await engine.start(task(prompt, retries=0))
        await until(engine, run, lambda now: now.percent == 30)
        # The text names only the minute: the headers, by way of the rollout, the second.
        limited = usage_limit(resets_in=4)
        resets_at = int(limited.headers["x-codex-primary-reset-at"])
        server.script("limit", [WORK.after(gate), limited], [WORK, DONE])
        gate.set()
        other = await engine.start(task("hello"))
        waiting = await until(engine, run, lambda now: now.limit_hits == 1)
        assert waiting.status is Status.QUEUED
        assert waiting.reason == reason(Cause.LIMIT, code="USAGE_LIMIT_REACHED")
        assert engine.pause
        assert engine.pause.until
        assert resets_at <= engine.pause.until <= resets_at + 2
        until_at = engine.pause.until
        (seen,) = await happened(engine, run, LimitsSeen)
        run, other = await ended(engine, run), await ended(engine, other)
        began = [
            event.at
            for one in (run, other)
            for event in await engine.events(one.id)
            if getattr(event.body, "status", None) is Status.PREPARING
        ]
        assert await threads(engine, run) == [run.thread_id] * 2
    assert [at for at in began if at < until_at] == began[:1]
    assert (run.status, run.attempt, run.retries_used) == (Status.SUCCEEDED, 2, 0)
    assert other.status is Status.SUCCEEDED
    assert [(w.name, w.used_percent, w.window_minutes) for w in seen.windows] == [
        ("primary", 100.0, 300)
    ]


@pytest.mark.parametrize("name", ["429", "in the stream"])
async def test_a_rate_limit_waits_and_uses_up_no_retry(
    name: str, house: House, server: LoopbackServer
) -> None:
    limited = rate_limited() if name == "429" else response_failed("slow_down", "wait")
    async with house.engine() as engine:
        run = await carried(engine, task(turns(server, "rate", limited), retries=0))
        reasons = [body.reason for body in await happened(engine, run, StatusChanged)]
    assert (run.status, run.attempt, run.retries_used) == (Status.SUCCEEDED, 2, 0)
    assert reason(Cause.LIMIT, code="RATE_LIMITED") in reasons


async def test_two_refused_keys_pause_the_queue(house: House, server: LoopbackServer) -> None:
    async with house.engine(slots=1) as engine:
        prompt = server.script("key", [unauthorized()])
        runs = [await engine.start(task(prompt)) for _ in range(4)]
        await until(engine, runs[1], lambda _: engine.pause is not None)
        statuses = [engine.view.runs[run.id].status.value for run in runs]
        assert statuses == ["failed", "failed", "queued", "queued"]
        for run in runs[2:]:
            await engine.cancel(run.id)


# Live figures from the rollout


async def test_tokens_and_windows_are_told_while_it_works(
    house: House, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "POLL_S", 0.05)
    gate = threading.Event()
    headers = rate_limits(primary=12, secondary=34)
    script = [
        WORK.using(cost(700, 100, 30)).with_headers(headers),
        DONE.using(cost(900, 200, 40)).after(gate),
    ]
    async with house.engine() as engine:
        run = await engine.start(task(server.script("live", script)))
        now = await until(engine, run, lambda now: bool(now.usage.input and now.limits))
        assert (now.status, now.usage) == (Status.RUNNING, Usage(700, 100, 30, 0, 1))
        assert now.context_window
        assert [(w.name, w.used_percent) for w in now.limits] == [
            ("primary", 12.0),
            ("secondary", 34.0),
        ]
        gate.set()
        run = await ended(engine, run)
        counts = [body.input_tokens for body in await happened(engine, run, UsageCounted)]
    assert run.usage == Usage(1600, 300, 70, 0, 2)
    assert counts == sorted(counts)


async def test_tokens_over_attempts_are_counted_once(house: House, server: LoopbackServer) -> None:
    used = cost(1000, 100, 10)
    turn = [WORK.using(used), DONE.using(used)]
    async with house.engine() as engine:
        cut = [WORK.using(used), stream_cut()]
        run = await carried(engine, task(server.script("sum", cut, turn), retries=1))
        assert (run.attempt, run.usage) == (2, Usage(3000, 300, 30, 0, 3))
        run = await ended(engine, await engine.resume(run.id, "more"))
        assert (run.attempt, run.usage) == (3, Usage(5000, 500, 50, 0, 5))
        run = await ended(engine, await engine.retry(run.id, fresh=True))
        # The first script again: its second request is cut, and the retry goes on in its thread.
        assert (run.attempt, run.usage) == (5, Usage(8000, 800, 80, 0, 8))


# Kills

SUPERVISE = """
import asyncio, sys
from pathlib import Path
from engine.config.settings import Config, QueueSettings
from engine.engine import Engine
from engine.config.paths import Paths

async def main():
    paths = Paths(Path(sys.argv[1]), Path(sys.argv[2]))
    config = Config(slots=4, queue=QueueSettings(stagger_s=0))
    async with Engine.open(paths, config, supervise=True):
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def _engine(house: House) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", SUPERVISE, str(house.paths.home), str(house.paths.config)]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    return child


async def test_an_engine_killed_in_mid_command_loses_and_doubles_nothing(
    house: House, server: LoopbackServer, pipe: Path
) -> None:
    script = [command("echo one"), command(f"cat {pipe}"), command("echo three"), DONE]
    child = await asyncio.to_thread(_engine, house)
    try:
        async with Engine.open(house.paths) as watching:
            run = await watching.start(task(server.script("kill", script)))
            await until(watching, run, lambda now: now.doing.startswith("running `cat"))
    finally:
        child.kill()
        child.communicate()
    await asyncio.to_thread(pipe.write_text, "two\n")
    await _exists(house.attempt(run).exit)
    async with house.engine() as engine:
        run = await ended(engine, run)
        told = [body for body in await bodies(engine, run) if isinstance(body, Told)]
    outputs = [body.output for body in told if body.kind == "command" and body.exit_code == 0]
    assert outputs == ["one\n", "two\n", "three\n"]
    assert len(told) == 7
    assert (run.status, run.attempt, run.exit_code) == (Status.SUCCEEDED, 1, 0)
    check(server, house, run)


async def _exists(path: Path) -> None:
    """Wait for a file that nobody tells of, and for what is written into it."""
    async with asyncio.timeout(LIMIT_S):
        while not path.exists() or not path.stat().st_size:  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("everything", [False, True], ids=["codex alone", "everything"])
async def test_a_killed_codex_is_told_and_a_retry_resumes_its_thread(
    house: House, server: LoopbackServer, everything: bool
) -> None:
    hold = command("echo x >>count.txt; sleep 300")
    async with house.engine() as engine:
        run = await engine.start(task(server.script("dead", [hold], [WORK, DONE]), retries=2))
        now = await until(engine, run, lambda now: now.doing.startswith("running"))
        assert now.workspace
        await _exists(Path(now.workspace.path) / "count.txt")
        shell = int(house.attempt(run).pid.read_text())
        members = marked(mark(house.attempt(run)))
        if everything:
            os.kill(shell, signal.SIGKILL)
        for pid in members:
            if pid != shell and (everything or _is_codex(pid)):
                _kill(pid)
        run = await ended(engine, run)
        assert marked(mark(house.attempt(run))) == []
        assert run.error
        expected = (
            (Status.INTERRUPTED, "RUN_INTERRUPTED", None)
            if everything
            else (Status.FAILED, "AGENT_CRASHED", 137)
        )
        assert (run.status, run.error.code, run.exit_code) == expected
        assert run.attempt == 1  # nobody knows whether that passes: not tried again by itself
        again = await ended(engine, await engine.retry(run.id))
        assert await threads(engine, again) == [run.thread_id] * 2
    assert (again.status, again.attempt) == (Status.SUCCEEDED, 2)
    assert again.workspace
    assert files(Path(again.workspace.path)) == {"count.txt": "x\nx\n"}
    assert heard(server)[-1] == GO_ON


def _is_codex(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it went with the one before it
        return False
    return words[1:2] == [b"exec"]


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
