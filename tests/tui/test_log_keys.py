"""The log's keys on the main screen: whose key it is, all runs, kinds, files."""

from __future__ import annotations

import pytest
from fake_engine import NARROW, WIDE, FakeEngine, app_on, choose, four_runs, screen_of, shown, taken
from textual.pilot import Pilot

from engine.domain.events import FileChange, FilesChanged, Notice
from tui.app import SwarmApp
from tui.screens.changes import ChangesScreen
from tui.screens.kinds import KindChoice
from tui.screens.new_run import NewRun
from tui.widgets.base import throttle

LOG_WORK = ("event-log", "log-search", "log-count", "reopen")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    monkeypatch.setattr(throttle, "FLUSH_S", 0.0)  # paint live events at once
    engine = four_runs()
    engine.happen("c3", Notice("warning", "mind the gap"), Notice("info", "all is well"))
    return engine


async def press(pilot: Pilot[None], *keys: str) -> str:
    """Press keys, and return what is shown when the log has all that it asked for."""
    await pilot.press(*keys)
    await pilot.pause()
    while asked := [one for one in pilot.app.workers if one.group in LOG_WORK]:
        await pilot.app.workers.wait_for_complete(asked)
        await pilot.pause()
    assert isinstance(pilot.app, SwarmApp)
    return shown(pilot.app)


async def test_search_keys_are_the_logs_while_it_searches(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        assert "/mind" in await press(pilot, "l", "slash", *"mind", "enter")
        assert "1/1" in await press(pilot, "n")
        assert screen_of(app).panes.pane == "log"
        assert "/mind" not in await press(pilot, "escape")
        assert screen_of(app).panes.pane == "log"
        await press(pilot, "escape")
        assert screen_of(app).panes.pane == "runs"
        await press(pilot, "slash")
        assert screen_of(app).panes.filter_input.has_focus
        await press(pilot, "escape", "l", "n")
        assert isinstance(app.screen, NewRun)


async def test_leaving_the_search_line_comes_back_to_the_log(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "c3")
        await press(pilot, "l", "slash", *"wx", "escape")
        chosen = screen_of(app).panes.chosen
        assert chosen.log_view.has_focus
        assert not chosen.log_pane.search_input.is_open
        assert engine.asked == []


async def test_kinds_are_chosen_from_a_list_and_named(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "c3")
        assert "all is well" in await press(pilot, "l")
        await press(pilot, "K")
        assert isinstance(app.screen, KindChoice)
        said = await press(pilot, *"jjjjj", "enter")
        assert "mind the gap" in said
        assert "all is well" not in said
        assert said.splitlines()[-2].endswith(" problems")
        said = await press(pilot, "K", "j", "enter")
        assert "No events of these kinds yet" in said
        assert "usage" in said
        assert "No events of these kinds yet" in await press(pilot, "K", "escape")


async def test_all_runs_are_a_key_away_and_go_on_live(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        said = await press(pilot, "L")
        assert "Log · all runs" in said
        assert "Write" in said.split("Log · all runs")[1]
        engine.happen("d4", Notice("info", "from the fourth"))
        await taken(pilot)
        assert "from the" in await press(pilot)
        await choose(pilot, "a1")
        assert "from the" in await press(pilot)
        said = await press(pilot, "L")
        assert "all runs" not in said.splitlines()[6]
        assert "from the" not in said


async def test_enter_on_a_file_shows_what_became_of_it(engine: FakeEngine) -> None:
    engine.happen("c3", FilesChanged((FileChange("a.py", "added"),)))
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "c3")
        await press(pilot, "l", "enter")
        assert isinstance(app.screen, ChangesScreen)
