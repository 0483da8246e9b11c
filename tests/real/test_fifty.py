"""Fifty runs of the real Codex in one home, eight at a time: all end as scripted, none is lost."""

from __future__ import annotations

import asyncio
import os
import time

import pytest
from house import House, bodies, task
from loopback import LoopbackServer, Step, command, message, overloaded, quota_exceeded

from engine.domain.model import Run, Status
from engine.engine import Engine
from engine.execution import outcome
from engine.execution.local.process_marks import marked

RUNS, SLOTS, LIMIT_S = 50, 8, 240
WORK = command("echo $((6 * 7)) >>answer.txt")
KINDS: dict[str, tuple[list[list[Step]], Status, int]] = {
    "good": ([[WORK, message("Forty-two.")]], Status.SUCCEEDED, 1),
    "bad": ([[WORK, quota_exceeded()]], Status.FAILED, 1),
    "flaky": ([[WORK, overloaded()], [WORK, message("Now.")]], Status.SUCCEEDED, 2),
}


def kind_of(number: int) -> str:
    """Every tenth run fails, and every tenth goes on after a failure that passes."""
    return {3: "bad", 7: "flaky"}.get(number % 10, "good")


async def most_at_once(engine: Engine) -> int:
    """Wait until all have ended, and return how many were at work at a time."""
    most = 0
    batches = engine.batches(0.05)
    async with asyncio.timeout(LIMIT_S):
        while engine.view.live:
            most = max(most, len(engine.view.active()))
            await anext(batches)
    return most


def check(run: Run, house: House) -> None:
    _, status, attempts = KINDS[run.spec.title]
    assert (run.status, run.attempt) == (status, attempts), run
    assert (run.error.code if run.error else None) == (
        "QUOTA_EXCEEDED" if run.spec.title == "bad" else None
    )
    for attempt in range(1, run.attempt + 1):
        folder = house.paths.attempt(run.id, attempt)
        assert "locked" not in folder.stderr.read_text("utf-8")
        assert marked(os.path.realpath(folder.path)) == []
    assert list((house.paths.run(run.id) / "codex").glob("state_*.sqlite"))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_fifty_runs_in_one_home_eight_at_a_time(
    house: House,
    server: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(outcome, "BACKOFF_S", 0.1)
    prompts = {name: server.script(name, *turns) for name, (turns, _, _) in KINDS.items()}
    started = time.monotonic()
    async with house.engine(slots=SLOTS) as engine:
        for number in range(RUNS):
            kind = kind_of(number)
            await engine.start(task(f"{prompts[kind]} {number}", title=kind, retries=1))
        most = await most_at_once(engine)
        runs = list(engine.view.runs.values())
        for run in runs:
            await bodies(engine, run)  # numbered without a gap
        assert await engine.doctor.orphans() == []
    took_s = time.monotonic() - started
    with capsys.disabled():
        print(f"\n{RUNS} runs of the real Codex, at most {most} at a time: {took_s:.1f} s")
    assert (len(runs), most) == (RUNS, SLOTS)
    for run in runs:
        check(run, house)
    assert len({run.thread_id for run in runs}) == RUNS
    assert list(house.codex_home.rglob("*.sqlite")) == []  # each run has its own
