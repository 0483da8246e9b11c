"""A queue that keeps a reserve: what is held, what passes, a restart, and how it goes on."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import quick, script, settled, spec, statuses, supervising, until

from engine.config.paths import Paths
from engine.config.settings import QueueSettings, ReserveSettings
from engine.config.values import Percent
from engine.domain.errors import UserError
from engine.domain.interaction import ModeChange
from engine.domain.model import Pause, Status
from engine.domain.reasons import WaitingFor
from engine.engine import Engine
from engine.execution import scheduler

LIMITS = "limits primary=10 secondary={} secondary_resets_in={}"
FULL = LIMITS.format(72, 86400)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "TICK_S", 0.05)


def reserving(weekly: float = 30, pace: Any = "none") -> dict[str, Any]:
    """Return settings that keep a part of the week."""
    reserve = ReserveSettings(weekly=Percent(weekly))
    return {"queue": QueueSettings(stagger_s=0, reserve=reserve, pace=pace)}


def report(path: Path, used: float, resets_in_s: float, account: str = "simulated") -> None:
    """Store a report of the week, as another process would."""
    now = time.time()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO limit_samples VALUES (?, 'secondary', ?, ?, 10080, ?)",
            (account, now, used, now + resets_in_s),
        )


async def test_nothing_starts_below_the_reserve_running_runs_finish_and_one_run_may_pass(
    paths: Paths,
) -> None:
    async with (
        supervising(paths, **reserving()) as engine,
        Engine.open(paths, quick(**reserving())) as other,
    ):
        view = engine.view
        first = await engine.start(spec(FULL, "until message", "say done", interactive=True))
        await until(engine, lambda: view.runs[first.id].limits)
        held = await engine.start(spec("say hello"))
        hold = engine.queue_pace.hold_of(view.runs[held.id], time.time())
        assert hold
        assert hold.reason == "30 % of the week is reserved; 72 % used"
        assert hold.waiting_for is WaitingFor.RESERVE
        await until(other, lambda: held.id in other.view.runs and other.view.runs[first.id].limits)
        assert other.queue_pace.hold_of(other.view.runs[held.id], time.time()) == hold
        await engine.send(first.id, "go on")
        await until(engine, lambda: view.runs[first.id].finished_at)
        assert view.runs[first.id].status is Status.SUCCEEDED
        await engine.retry(first.id)  # a retry is a start, too
        past = await engine.start(spec(LIMITS.format(80, 86400), ignore_pace=True))
        await until(engine, lambda: view.runs[past.id].finished_at)
        assert {view.runs[one].status for one in (first.id, held.id)} == {Status.QUEUED}
        # A newer report shows room: the queue goes on by itself.
        await engine.cancel(first.id)
        await engine.start(spec(LIMITS.format(8, 86400), ignore_pace=True))
        await settled(engine)
        assert view.runs[held.id].status is Status.SUCCEEDED


async def test_a_restart_keeps_the_hold_and_the_override_of_one_run(paths: Paths) -> None:
    async with Engine.open(paths, quick(**reserving())) as engine:
        held, past = [await engine.start(spec("say hello")) for _ in range(2)]
        report(paths.database, 72, 86400)
        await engine.annotations.start_past_pace([past.id])
    async with supervising(paths, **reserving()) as engine:
        await until(engine, lambda: engine.view.runs[past.id].finished_at)
        assert engine.view.runs[held.id].status is Status.QUEUED
        assert engine.queue_pace.hold_of(engine.view.runs[held.id], time.time())
        assert not engine.queue_pace.hold_of(engine.view.runs[past.id], time.time())
        # The override ends with the run: its retry waits, unless it is asked for again.
        await engine.retry(past.id, prompt=script("say on"))
        assert engine.queue_pace.hold_of(engine.view.runs[past.id], time.time())
        await engine.annotations.start_past_pace([past.id])
        await until(engine, lambda: engine.view.runs[past.id].attempt == 2)
        await until(engine, lambda: engine.view.runs[past.id].finished_at)
        change = ModeChange(ignores_pace=True)
        again = await engine.retry(past.id, prompt=script("say on"), change=change)
        await until(engine, lambda: engine.view.runs[again.id].attempt == 3)
        await until(engine, lambda: engine.view.runs[again.id].finished_at)
        assert statuses(await engine.events(held.id)) == [Status.QUEUED]


async def test_the_queue_goes_on_after_the_reset(paths: Paths) -> None:
    async with Engine.open(paths, quick()) as engine:
        held = await engine.start(spec("say hello"))
    report(paths.database, 72, 1.0)
    async with supervising(paths, **reserving()) as engine:
        hold = engine.queue_pace.hold_of(engine.view.runs[held.id], time.time())
        assert hold is None or hold.until
        await settled(engine)
        events = await engine.events(held.id)
        started = next(one.at for one in events if getattr(one.body, "status", "") == "preparing")
        assert hold is None or (hold.until and started >= hold.until)


async def test_a_pause_of_the_user_holds_a_run_that_ignores_the_pace(paths: Paths) -> None:
    async with supervising(paths, **reserving()) as engine:
        await engine.set_pause(Pause("lunch"))
        run = await engine.start(spec("say hello", ignore_pace=True))
        report(paths.database, 72, 86400)
        await engine.queue_pace.load()
        other = await engine.start(spec("say hello"))
        assert engine.view.runs[run.id].status is Status.QUEUED
        await engine.set_pause(None)
        await until(engine, lambda: engine.view.runs[run.id].finished_at)
        assert engine.view.runs[other.id].status is Status.QUEUED


async def test_spread_starts_wait_until_what_is_used_is_due(paths: Paths) -> None:
    async with Engine.open(paths, quick()) as engine:
        run = await engine.start(spec("say hello"))
    report(paths.database, 50, 6 * 86400)  # a day of the week is over
    async with supervising(paths, **reserving(0, "even")) as engine:
        hold = engine.queue_pace.hold_of(engine.view.runs[run.id], time.time())
        assert hold
        assert hold.waiting_for is WaitingFor.PACE
        assert hold.until
        assert hold.until - time.time() == pytest.approx((0.48 * 7 - 1) * 86400, abs=60)


async def test_another_account_is_not_held(paths: Paths) -> None:
    async with Engine.open(paths, quick()) as engine:
        run = await engine.start(spec("say hello"))
    report(paths.database, 99, 86400, "work")
    async with supervising(paths, **reserving()) as engine:
        assert set(engine.queue_pace.holds(time.time())) == {"work"}
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.RUNNING])
async def test_only_a_queued_run_starts_past_the_reserve(paths: Paths, status: Status) -> None:
    async with supervising(paths) as engine:
        run = await engine.start(spec("say hello" if status is Status.SUCCEEDED else "hang"))
        await until(engine, lambda: engine.view.runs[run.id].status is status)
        with pytest.raises(UserError) as refused:
            await engine.annotations.start_past_pace([run.id])
        assert refused.value.code == "RUN_NOT_QUEUED"
        if status is Status.RUNNING:
            await engine.cancel(run.id, kill=True)
            await settled(engine)
