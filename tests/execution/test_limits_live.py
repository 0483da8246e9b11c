"""Limits do not burn the queue: all wait, it is seen for how long, and the same thread goes on."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from support import LIMIT_S, fake_codex, of_type, played, quick, settled, spec, supervising, until

from engine.agents.codex import limit_resets
from engine.config.paths import Paths
from engine.domain.lifecycle import ACTIVE
from engine.domain.model import Agent, LimitWindow, Pause, Run, Status
from engine.domain.reasons import Cause, WaitingFor
from engine.domain.requests import GO_ON
from engine.engine import Engine

pytestmark = pytest.mark.both_modes

RESET_S = 4
"""Long enough to look at what waits before it is over, also on a busy machine."""
RESETS = f"limits primary=100 resets_in={RESET_S}"
SAID = "fail You’ve hit your usage limit. Try again later."
LIMITED = ("attempt 1", "write one.txt 1", RESETS, SAID, "end", "attempt 2+", "say on", "end")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit_resets, "MARGIN_S", 0.1)


async def limited(engine: Engine, run: Run) -> Run:
    """Wait until the run has met its limit."""
    await until(engine, lambda: engine.view.runs[run.id].limit_hits and engine.pause)
    return engine.view.runs[run.id]


def prompt_of(paths: Paths, run: Run) -> str:
    return paths.attempt(run.id, run.attempt).prompt.read_text()


async def test_a_usage_limit_pauses_all_until_it_resets_and_the_thread_goes_on(
    paths: Paths,
) -> None:
    async with supervising(paths, slots=1) as engine, Engine.open(paths, quick()) as other:
        run = await engine.start(spec(*LIMITED, retries=1))
        others = [await engine.start(spec("say hello")) for _ in range(2)]
        waiting = await limited(engine, run)
        begun = time.time()
        assert waiting.status is Status.QUEUED
        assert waiting.cause is Cause.LIMIT
        assert waiting.reason == "waiting for the limit to reset: USAGE_LIMIT_REACHED"
        assert engine.pause
        assert engine.pause.waiting_for is WaitingFor.LIMIT
        assert engine.pause.until == waiting.not_before
        assert 0 < engine.pause.until - begun < RESET_S + 2
        until_at = engine.pause.until
        async with asyncio.timeout(LIMIT_S):  # everybody sees the countdown
            while not other.pause or other.pause.until != until_at:  # noqa: ASYNC110  no event
                await asyncio.sleep(0.01)
        await settled(engine)
        done = engine.view.runs[run.id]
        starts = [
            event.at
            for one in (run, *others)
            for event in await engine.events(one.id)
            if getattr(event.body, "status", "") == "preparing"
        ]
        events = await engine.events(run.id)
        assert engine.pause is None
        assert {engine.view.runs[one.id].status for one in others} == {Status.SUCCEEDED}
    # Nothing started between the limit and its end, and the one that met it goes first.
    assert [at for at in sorted(starts) if at < until_at] == [min(starts)]
    assert sorted(starts)[1] == starts[1]
    assert (done.status, done.attempt, done.retries_used) == (Status.SUCCEEDED, 2, 0)
    assert done.thread_id == waiting.thread_id
    assert prompt_of(paths, done) == GO_ON
    assert [window.used_percent for window in done.limits] == [100]
    assert "usage limit" in of_type(events, "notice")[0].text
    assert not of_type(events, "error")


async def test_without_a_time_the_wait_grows_and_no_retry_is_used_up(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_resets, "UNKNOWN_S", 0.5)
    planned: list[float] = []
    real = limit_resets.resets_at

    def resets_at(message: str, windows: Iterable[LimitWindow], hits: int, now: float) -> float:
        planned.append(real(message, windows, hits, now) - now)
        return now + planned[-1]

    monkeypatch.setattr(limit_resets, "resets_at", resets_at)
    again = ("attempt 1", "fail rate", "end", "attempt 2", SAID, "end", "attempt 3", "say on")
    async with supervising(paths) as engine:
        run = await played(engine, *again)
        events = await engine.events(run.id)
    assert (run.status, run.attempt, run.retries_used) == (Status.SUCCEEDED, 3, 0)
    waits = [
        event.body.not_before - event.at
        for event in events
        if event.body.type == "status" and event.body.cause is Cause.LIMIT
    ]
    assert planned == pytest.approx([0.5, 1.0])
    assert waits[0] <= 0.6  # less what storing takes
    assert waits[1] <= 1.1
    hits = [body for body in of_type(events, "status") if body.cause is Cause.LIMIT]
    codes = [body.reason.split()[-1] for body in hits]
    assert codes == ["RATE_LIMITED", "USAGE_LIMIT_REACHED"]


async def test_live_runs_go_on_while_the_queue_waits(paths: Paths, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    done = """echo '{"type":"turn.completed"}'"""
    fake = fake_codex(tmp_path, f'test "$1" = exec || exit; read word <{gate}; {done}')
    never = RESETS.replace(f"={RESET_S}", "=3000")
    async with supervising(paths, slots=3) as engine:
        busy = await engine.start(spec(agent=Agent.CODEX, codex_bin=fake))
        run = await engine.start(spec(never, SAID))
        await limited(engine, run)
        await until(engine, lambda: engine.view.runs[busy.id].status is Status.RUNNING)
        await asyncio.to_thread(gate.write_text, "go on\n")
        await until(engine, lambda: engine.view.runs[busy.id].finished_at)
        assert engine.view.runs[busy.id].status is Status.SUCCEEDED
        assert engine.view.runs[run.id].status is Status.QUEUED
        await engine.cancel(run.id)
        await settled(engine)


async def test_who_ends_the_pause_does_not_wait_for_the_reset(paths: Paths) -> None:
    never = RESETS.replace(f"={RESET_S}", "=3000")
    async with supervising(paths) as engine, Engine.open(paths, quick(), follow=False) as other:
        run = await engine.start(spec(*(never if part == RESETS else part for part in LIMITED)))
        waiting = await limited(engine, run)
        assert engine.pause.until - time.time() > 2900
        await other.set_pause(None)
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED
        assert engine.view.runs[run.id].thread_id == waiting.thread_id


async def test_a_pause_that_was_asked_for_outlives_a_limit(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("wait 0.3", RESETS, SAID))
        await until(engine, lambda: engine.view.runs[run.id].status is Status.RUNNING)
        await engine.set_pause(Pause("asked"))
        await until(engine, lambda: engine.view.runs[run.id].status not in ACTIVE)
        assert engine.pause == Pause("asked")
        await engine.cancel(run.id)
        await settled(engine)


async def test_a_limit_that_another_engine_met_holds_for_the_next(paths: Paths) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec(*LIMITED))
        await limited(engine, run)
        pause = engine.pause
    async with supervising(paths) as engine:
        assert engine.pause == pause
        assert engine.view.runs[run.id].status is Status.QUEUED
        await settled(engine)
        done = engine.view.runs[run.id]
        started = [e.at for e in await engine.events(run.id) if e.body.type == "status"][4]
    assert (done.status, done.attempt, done.retries_used) == (Status.SUCCEEDED, 2, 0)
    assert started >= pause.until


async def test_of_two_limits_the_later_reset_counts(paths: Paths) -> None:
    later = RESETS.replace(f"={RESET_S}", f"={RESET_S + 2}")
    async with supervising(paths) as engine:
        runs = [
            await engine.start(spec("attempt 1", first, "wait 0.2", SAID, *LIMITED[4:]))
            for first in (later, RESETS)
        ]
        for run in runs:
            await limited(engine, run)
        assert engine.pause.until == max(engine.view.runs[run.id].not_before for run in runs)
        await settled(engine)
        assert {engine.view.runs[run.id].status for run in runs} == {Status.SUCCEEDED}
