"""The history searched as one types, and the way from there into a run's log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from fake_engine import (
    LIMIT_S,
    NARROW,
    WIDE,
    FakeEngine,
    app_on,
    four_runs,
    painted,
    screen_of,
    shown,
)
from textual.pilot import Pilot

from engine.domain.events import Notice, Step
from tui.screens.find import FindScreen
from tui.screens.runs import RunsScreen


@pytest.fixture
def engine() -> FakeEngine:
    engine = four_runs()
    for n in range(500):
        engine.happen("c3", Notice("info", f"step {n}"))
    engine.happen("c3", Step("assistant", "message", "completed", "the oak\n[/red] \x1b[31mstands"))
    for n in range(500):
        engine.happen("c3", Notice("info", f"later {n}"))
    return engine


async def until(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait for what a timer begins; nobody tells us, so look again and again."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.01)
    await painted(pilot)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_from_a_word_to_its_place_in_the_log(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("b", "w")  # only what needs me: the run is not even in the list
        await pilot.press("ctrl+f", *"oak")
        await until(pilot, lambda: "the oak" in shown(app))
        assert "Port the tests" in shown(app) and "\x1b" not in shown(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        log = screen_of(app).panes.chosen.log_view
        await until(pilot, lambda: log.here_seq == 504)
        assert log.lines_look.lit and log.has_focus and "the oak" in shown(app)
        await pilot.press("ctrl+f")
        await until(pilot, lambda: isinstance(app.screen, FindScreen))
        assert "the oak" in shown(app)


async def test_places_of_some_runs_and_an_index_that_is_behind(engine: FakeEngine) -> None:
    app = app_on(engine)
    engine.search.behind = 12
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+f", *"Please status:failed,running project:garden")
        await until(pilot, lambda: "12 events not looked through yet" in shown(app))
        engine.search.behind = 0
        await until(pilot, lambda: "not looked through" not in shown(app))  # it asks again
        assert engine.search.asked[-1] == ("Please", "garden", ["failed", "running"])
        assert "Found 2" in shown(app)
        await pilot.press("down", "tab", "k", "j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert screen_of(app).panes.chosen.run_id == "b2"
        await pilot.press("ctrl+f", *"zzz")
        await until(pilot, lambda: "No match for all of these words." in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
