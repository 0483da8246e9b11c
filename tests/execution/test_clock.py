"""A clock that jumps and a machine that sleeps: nothing ends or stalls, and one line says so."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support import becomes, fake_codex, of_type, quick, settled, spec, supervising, until

from engine.config.paths import Paths
from engine.config.settings import Config, WatchdogSettings
from engine.disk.maintenance import Maintenance
from engine.domain.activity import elapsed_s
from engine.domain.events import Event
from engine.domain.model import Agent, Pause, Run, Status
from engine.domain.run_json import run_json
from engine.engine import Engine
from engine.execution import scheduler
from engine.system import clock as clocks
from engine.system.clock import DAY_S, Clock, ClockAnchor, ClockReading, SystemClocks


@dataclass
class Machine(SystemClocks):
    """A machine whose clock is moved, and that sleeps, as a test wants."""

    moved_s: float = 0.0
    slept_s: float = 0.0
    boot_name: str = "boot 1"

    def wall(self) -> float:
        return REAL() + self.moved_s + self.slept_s

    def read(self) -> ClockReading:
        awake = time.monotonic()
        return ClockReading(REAL() + self.moved_s + self.slept_s, awake, self.slept_s)

    def boot(self) -> str:
        return self.boot_name


REAL = time.time


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The clocks of this process, under control."""
    it = Machine()
    monkeypatch.setattr(time, "time", it.wall)
    monkeypatch.setattr(clocks, "SystemClocks", lambda: it)
    monkeypatch.setattr(scheduler, "TICK_S", 0.1)
    monkeypatch.setattr(scheduler, "LOOK_S", 0.1)
    return it


def config() -> Config:
    return quick(watchdog=WatchdogSettings(silent_s=300, first_event_s=300, action="kill"))


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A FIFO: the agent works until somebody writes to it."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    return path


@asynccontextmanager
async def working(paths: Paths, gate: Path) -> AsyncGenerator[tuple[Engine, Run]]:
    """An engine with a run in the middle of its work."""
    said = ("thread.started", "turn.started", "turn.completed")
    started, turn, done = (f"echo '{json.dumps({'type': it, 'thread_id': 't'})}'" for it in said)
    fake = fake_codex(
        gate.parent, f'test "$1" = exec || exit; {started}; {turn}; read it <{gate}; {done}'
    )
    async with Engine.open(paths, config(), supervise=True) as engine:
        run = await engine.start(spec(agent=Agent.CODEX, codex_bin=fake, timeout_s=600.0))
        await until(engine, lambda: engine.view.runs[run.id].thread_id)
        yield engine, run


async def ended(engine: Engine, run: Run, gate: Path) -> tuple[Run, list[Event]]:
    await asyncio.to_thread(gate.write_text, "go on\n")
    await settled(engine)
    return engine.view.runs[run.id], await engine.events(run.id)


def skips(events: list[Event]) -> list[str]:
    return [body.text for body in of_type(events, "notice") if body.skipped_s is not None]


@pytest.mark.parametrize(
    ("moved_s", "slept_s", "words"),
    [
        (DAY_S, 0.0, "the clock was moved forward by 24:00:00"),
        (-DAY_S, 0.0, "the clock was moved back by 24:00:00"),
        (0.0, 8 * 3600.0, "the machine slept for 8:00:00"),
        (-3600.0, 7200.0, "the machine slept for 2:00:00; the clock was moved back by 1:00:00"),
    ],
)
async def test_no_jump_and_no_sleep_ends_or_stalls_a_run(
    paths: Paths, gate: Path, machine: Machine, moved_s: float, slept_s: float, words: str
) -> None:
    async with working(paths, gate) as (engine, run):
        machine.moved_s, machine.slept_s = moved_s, slept_s
        await until(engine, lambda: engine.view.runs[run.id].skipped_s)
        now = machine.wall()
        moved = engine.view.runs[run.id]
        done, events = await ended(engine, run, gate)
    assert abs(moved.skipped_s - moved_s - slept_s) < 1
    for at in (moved.doing_since, moved.last_sign_at):
        assert -60 < now - at < 60
    assert (done.status, done.stalled, skips(events)) == (Status.SUCCEEDED, "", [words])
    assert 0 <= elapsed_s(done, machine.wall()) < 60
    assert run_json(done, machine.wall())["elapsed_s"] < 60
    assert of_type(events, "progress")[-1].elapsed_s < 60
    assert abs((done.finished_at or 0) - machine.wall()) < 60


async def test_a_gap_while_no_engine_ran_is_skipped_by_the_next_one(
    paths: Paths, gate: Path, machine: Machine
) -> None:
    async with working(paths, gate) as (_, run):
        pass
    machine.slept_s = 3 * DAY_S
    async with Engine.open(paths, config(), supervise=True) as engine:
        await until(engine, lambda: engine.view.runs[run.id].skipped_s)
    async with Engine.open(paths, config(), supervise=True) as engine:
        done, events = await ended(engine, run, gate)
    assert (done.status, skips(events)) == (
        Status.SUCCEEDED,
        ["the machine slept for 72:00:00"],
    )
    assert elapsed_s(done, machine.wall()) < 60


async def test_a_clock_that_is_moved_twice_and_to_and_fro_ends_nothing(
    paths: Paths, gate: Path, machine: Machine
) -> None:
    async with working(paths, gate) as (engine, run):
        for moved_s in (DAY_S, -DAY_S, 0.0):
            machine.moved_s = moved_s
            await until(
                engine, lambda: abs(engine.view.runs[run.id].skipped_s - machine.moved_s) < 1
            )
        done, events = await ended(engine, run, gate)
    assert done.status is Status.SUCCEEDED
    assert len(skips(events)) == 3
    assert 0 <= elapsed_s(done, machine.wall()) < 60


async def test_a_wait_to_try_again_takes_no_longer_when_the_clock_is_moved_back(
    paths: Paths, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.execution.outcome.BACKOFF_S", 100.0)
    async with supervising(paths) as engine:
        run = await engine.start(
            spec("attempt 1", "fail overloaded", "end", "attempt 2", "say on", retries=1)
        )
        await until(engine, lambda: engine.view.runs[run.id].not_before)
        machine.moved_s = -3600.0
        await until(engine, lambda: engine.view.runs[run.id].notice.startswith("the clock"))
        left_s = (engine.view.runs[run.id].not_before or 0) - machine.wall()
        assert 0 < left_s < 200
        machine.moved_s = 3600.0  # forward it is over
        await settled(engine)
        done = engine.view.runs[run.id]
    assert done.status is Status.SUCCEEDED
    assert 0 <= elapsed_s(done, machine.wall()) < 60


async def test_an_automatic_pause_is_moved_back_with_the_clock(
    paths: Paths, machine: Machine
) -> None:
    async with supervising(paths) as engine:
        assert engine._supervision
        await becomes(lambda: engine._supervision and engine._supervision.scheduler)
        await engine._supervision._pause(Pause("a cause", machine.wall() + 100))
        run = await engine.start(spec())
        machine.moved_s = -DAY_S
        await until(
            engine, lambda: engine.pause and (engine.pause.until or 0) < machine.wall() + 200
        )
        assert engine.view.runs[run.id].status is Status.QUEUED
        machine.moved_s = 0.0
        await settled(engine)
        assert engine.view.runs[run.id].status is Status.SUCCEEDED


async def test_the_time_a_user_asked_for_stays(paths: Paths, machine: Machine) -> None:
    async with supervising(paths) as engine:
        at = machine.wall() + 3600
        run = await engine.start(spec(not_before=at))
        machine.moved_s = -DAY_S
        await until(engine, lambda: engine.view.runs[run.id].notice)
        assert engine.view.runs[run.id].spec.not_before == at
        machine.moved_s = 3601.0
        await settled(engine)
    assert engine.view.runs[run.id].status is Status.SUCCEEDED


async def test_nothing_expires_for_a_day_after_a_jump_of_more_than_a_day(
    paths: Paths, machine: Machine
) -> None:
    """A wrong date must not delete what is in the trash."""
    async with supervising(paths) as engine:
        run = await engine.start(spec())
        await settled(engine)
        await engine.disk.delete(run.id)

    async def tended(clock: Clock) -> int:
        async with Engine.open(paths, config()) as engine:
            await Maintenance(engine.disk, engine._store, config(), lambda: True, clock).once()
            return len(await engine.disk.trash())

    machine.moved_s = 0.0
    awake = Clock(machine)
    machine.moved_s = 400 * DAY_S
    assert await tended(awake) == 1
    awake.step()
    awake.settle()
    assert await tended(awake) == 1
    awake.anchor = replace(awake.anchor, hold_until=0.0)
    assert await tended(awake) == 0


def test_a_sleep_of_weeks_is_trusted() -> None:
    machine = Machine()
    clock = Clock(machine)
    machine.slept_s = 60 * DAY_S
    assert clock.is_trusted
    machine.moved_s = 2 * DAY_S
    assert not clock.is_trusted


def test_another_start_of_the_machine_begins_afresh_and_keeps_the_hold() -> None:
    machine = Machine()
    clock = Clock(machine)
    clock.start(ClockAnchor("boot 0", 12345.0, 0.0, hold_until=1.0))
    assert abs(clock.now() - machine.wall()) < 1
    assert not clock.is_trusted
    clock.start(ClockAnchor("boot 1", clock.anchor.offset - 50, 0.0))
    assert 49 < clock.gap().total_s < 51
    clock.start(None)
    assert abs(clock.gap().total_s) < 1


def test_nothing_expires_at_once_when_a_machine_starts_with_a_date_long_after_the_last() -> None:
    machine = Machine()
    stored = replace(Clock(machine).to_store(), boot="boot 0")
    clock = Clock(machine)
    clock.start(stored)
    assert clock.is_trusted
    machine.moved_s = 365 * DAY_S
    clock.start(stored)
    assert not clock.is_trusted
    clock.start(replace(stored, wall=0.0))  # an older version did not write it down
    assert clock.is_trusted


def test_while_a_clock_steps_it_never_decides_by_the_later_time() -> None:
    machine = Machine()
    clock = Clock(machine)
    machine.moved_s = 1000.0
    clock.step()
    assert clock.stamp() - clock.now() > 990
    clock.settle()
    assert clock.now() - REAL() > 990
    machine.moved_s = 0.0
    clock.step()
    assert clock.now() - REAL() < 10


def test_the_clocks_of_this_machine_are_read() -> None:
    clock = Clock()
    assert abs(clock.now() - time.time()) < 1
    assert abs(clock.gap().total_s) < 1
    assert clock.anchor.boot == SystemClocks().boot()
