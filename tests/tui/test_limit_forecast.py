"""The forecast of the limits in the top bar: only where it matters, at every width."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from fake_engine import FakeEngine, app_on, shown
from support import LIMIT_S
from textual.pilot import Pilot

from engine.domain.events import LimitsSeen
from engine.domain.model import LimitWindow, Status
from engine.domain.usage import LimitCycle
from tui.app import SwarmApp
from tui.formatting import clock_time
from tui.widgets.status import limit_forecast

HOUR, DAY = 3600.0, 86_400.0
WEEK = 7 * 24 * 60


def limited(full_in: float | None, used: float = 62.0) -> FakeEngine:
    """Return an engine with a run that reported two windows, and a forecast of the longer one."""
    engine = FakeEngine()
    engine.add("a", "A run")
    engine.pass_through("a", Status.PREPARING, Status.RUNNING)
    week = LimitWindow("secondary", used, WEEK, engine.now + 3 * DAY)
    engine.happen("a", LimitsSeen((LimitWindow("primary", 12.0, 300, engine.now + HOUR), week)))
    full_at = None if full_in is None else engine.now + full_in
    cycle = LimitCycle("default", "secondary", used, WEEK, None, week.resets_at, engine.now)
    engine.usage.windows = (replace(cycle, full_at=full_at),)
    return engine


def second_line(app: SwarmApp) -> str:
    return shown(app).splitlines()[1]


async def until(pilot: Pilot[None], is_so: Callable[[], object]) -> None:
    """Wait for what is read in the background, without a batch of events."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.01)


async def line_with(pilot: Pilot[None], app: SwarmApp, text: str) -> str:
    """Wait until the second line of the dashboard holds a text, and return the line."""
    await until(pilot, lambda: text in second_line(app))
    return second_line(app)


@pytest.mark.parametrize(
    ("width", "others", "counters"),
    [
        (120, 0, "● 1 running   ○ 0 queued   ! 0 needs you   ± 0 to review   ✓ 0 done"),
        (80, 0, "● 1 running"),
        (80, 12, "● 1 running  ○ 12 queued"),
        (60, 12, "● 1 running  ○ 12 queued"),
    ],
)
async def test_window_that_is_full_before_its_reset_is_named(
    width: int, others: int, counters: str
) -> None:
    engine = limited(1.5 * DAY)
    for number in range(others):
        engine.add(f"b{number}", "Another")
    app = app_on(engine)
    async with app.run_test(size=(width, 30)) as pilot:
        line = await line_with(pilot, app, " full ")
    full = clock_time(engine.now + 1.5 * DAY, engine.now)
    found, _, rest = line.partition("  5h 12%")
    assert found.strip() == counters
    is_brief = width < 80
    assert rest.rstrip().endswith(f"week {'' if is_brief else '62% '}full {full}")


@pytest.mark.parametrize("width", [80, 120])
async def test_window_that_resets_in_time_is_shown_as_before(width: int) -> None:
    engine = limited(None)
    app = app_on(engine)
    async with app.run_test(size=(width, 30)) as pilot:
        line = await line_with(pilot, app, "week 62%")
    assert "full" not in line


async def test_forecast_of_another_account_is_not_shown() -> None:
    engine = limited(1.5 * DAY)
    (cycle,) = engine.usage.windows
    engine.usage.windows = (replace(cycle, resets_at=engine.now + 5 * DAY),)
    app = app_on(engine)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: engine.usage.limit_reads)
        assert "full" not in await line_with(pilot, app, "week 62%")


async def test_new_limits_are_read_once_after_a_while_and_not_with_every_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limit_forecast, "LIMITS_S", 0.2)
    engine = limited(None)
    app = app_on(engine)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: engine.usage.limit_reads == 1)
        windows = engine.view.runs["a"].limits
        for _ in range(20):
            engine.happen("a", LimitsSeen(windows))
            await pilot.pause()
        await until(pilot, lambda: engine.usage.limit_reads > 1)
        assert engine.usage.limit_reads < 10


async def test_fault_of_the_forecast_is_shown_and_the_limits_stay() -> None:
    engine = limited(None)
    engine.usage.error = RuntimeError("no such table")
    app = app_on(engine)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: engine.tasks.faults.is_failing("forecast"))
        assert "week 62%" in await line_with(pilot, app, "week")
