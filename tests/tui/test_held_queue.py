"""A queue that keeps a reserve: its rows, details and top bar, and the key that passes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_engine import (
    NOW,
    WIDE,
    FakeEngine,
    app_on,
    choose,
    four_runs,
    listed,
    shown,
    toasts,
    until,
)

from engine.domain.model import Pause
from engine.domain.reasons import WaitingFor
from tui.app import SwarmApp

HOLD = Pause("30 % of the week is reserved; 72 % used", NOW + 90_000, WaitingFor.RESERVE)
WORDS = "30 % of the week is reserved; 72 % used; resets "


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


def top(app: SwarmApp) -> str:
    return "\n".join(shown(app).splitlines()[:3])


async def test_a_held_run_shows_why_and_until_when(engine: FakeEngine) -> None:
    engine.queue_pace.held = {"default": HOLD}
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "d4")
        assert f"HELD {WORDS}" in top(app)
        assert "waits: 30 % of the week is reserved" in shown(app)
        await pilot.press("i")
        await until(pilot, lambda: f"waits: {WORDS}" in " ".join(shown(app).split()))


async def test_a_long_line_of_a_hold_does_not_push_out_the_next_one(engine: FakeEngine) -> None:
    engine.queue_pace.held = {"default": replace(HOLD, reason="a long reason " * 8)}
    app = app_on(engine)
    async with app.run_test(size=(80, 24)):
        lines = shown(app).splitlines()
        assert lines[2].strip().startswith("HELD a long reason")
        assert lines[2].rstrip().endswith("…")
        assert "runs" in lines[3]


async def test_ampersand_lets_a_queued_run_start_past_the_reserve(engine: FakeEngine) -> None:
    engine.queue_pace.held = {"default": HOLD}
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "d4")
        await pilot.press("ampersand")
        await until(pilot, lambda: engine.view.runs["d4"].ignores_pace)
        await until(pilot, lambda: "waiting for a slot (1st), starts past the" in shown(app))
        await until(pilot, lambda: "HELD" not in top(app))
        assert any("Tidy up: starts past the reserve." in text for text in toasts(app))


async def test_no_other_run_is_started_so(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "b2")
        await pilot.press("ampersand")
        await until(pilot, lambda: toasts(app))
        assert "The run b2" in toasts(app)[0]
        assert not any(run.ignores_pace for run in engine.view.runs.values())


async def test_an_account_is_named_and_a_hold_ends_with_its_time(engine: FakeEngine) -> None:
    engine.queue_pace.held = {"default": HOLD}
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        assert "HELD" in top(app)
        engine.now = NOW + 100_000
        app.screen.tick()  # pyright: ignore  the screen of the runs
        await pilot.pause()
        assert "HELD" not in top(app)
        assert listed(app)
