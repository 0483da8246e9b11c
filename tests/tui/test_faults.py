"""Faults of tasks in the lines at the top."""

from __future__ import annotations

import asyncio

import pytest
from fake_engine import FakeEngine, app_on, four_runs, screen_of, until

from engine.domain.events import Notice
from engine.domain.fault import Fault
from tui.widgets.status.top_bar import TopBar

MANY = 300
"""Longer than it takes to close."""


async def test_faults_have_a_line_of_their_own_below_the_counts() -> None:
    engine = FakeEngine()
    engine.faults = (Fault("watcher", "OSError: no", 3, 0.0), Fault("search", "no", 1, 0.0))
    app = app_on(engine)
    async with app.run_test() as pilot:
        bar = app.screen.query_one(TopBar)
        line = "FAULT watcher failed 3 times and is tried again: OSError: no (and 1 more)"
        await until(pilot, lambda: line in str(bar.render()))
        assert bar.size.height == 3


async def test_what_happens_while_the_dashboard_closes_meets_no_removed_widget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, recorded = four_runs(), []
    monkeypatch.setattr(
        engine.tasks.faults, "record", lambda name, error, **_: recorded.append((name, error))
    )
    app = app_on(engine)

    async def work_on() -> None:
        for _ in range(MANY):
            screen_of(app).rearrange()
            await asyncio.sleep(0)

    async def happens() -> None:
        for _ in range(MANY):
            engine.happen(next(iter(engine.view.runs)), Notice("info", "more"))
            await asyncio.sleep(0)

    async with app.run_test() as pilot:
        await pilot.pause()
        screen_of(app).run_worker(work_on)
        happening = asyncio.create_task(happens())
        await asyncio.sleep(0)
    await happening
    assert recorded == []
