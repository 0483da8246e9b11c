"""How many keys everyday work takes; text that is typed does not count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from fake_engine import WIDE, FakeEngine, S, app_on, painted, plain, screen_of, shown
from support import quick
from textual.pilot import Pilot

from engine.config.paths import Paths
from engine.domain.errors import user_error
from engine.domain.events import Progressed
from engine.domain.model import Agent, Stage
from engine.engine import Engine
from tui.app import SwarmApp
from tui.models.draft import Draft
from tui.screens.new_batch import NewBatch
from tui.screens.new_run import NewRun
from tui.screens.write import WriteDialog
from tui.widgets.forms.prompt_area import PromptArea
from tui.widgets.forms.segmented_control import SegmentedControl

LIMIT_S = 60


class NoBatches:
    """Batches that cannot be planned."""

    async def plan(self, request: object, told: object = None) -> NoReturn:
        del request, told
        raise user_error("BATCH_INVALID", "No batch.")


class Hands:
    """Presses keys and counts them; what is typed is not counted."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self._pilot = pilot
        self.count = 0

    async def press(self, *keys: str) -> None:
        self.count += len(keys)
        await self._pilot.press(*keys)
        await self._pilot.pause()

    async def type(self, text: str) -> None:
        await self._pilot.press(*text)
        await self._pilot.pause()

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not is_so():
                await self._pilot.pause(0.02)
        await painted(self._pilot)


def threads(failed: int, succeeded: int) -> FakeEngine:
    """Runs with a thread each, the failed ones among the others."""
    engine = FakeEngine()
    for number in range(failed + succeeded):
        run = f"run{number:02}"
        engine.add(run, f"Task {number}")
        engine.pass_through(run, S.PREPARING, S.RUNNING)
        thread = {"thread_id": f"t-{number}", "path": f"/home/you/ws/{run}", "kind": "empty"}
        engine.happen(run, Progressed(Stage.EXECUTING, "thinking", 30, details=thread))
        engine.pass_through(run, S.FAILED if number % 7 == 3 and failed else S.SUCCEEDED)
    return engine


async def test_five_runs_of_one_prompt_take_four_keys(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Engine.open(paths, quick(), supervise=False) as engine:
        app = SwarmApp(engine)
        app.forms.draft = Draft(agent=Agent.SIMULATED)
        async with app.run_test(size=WIDE) as pilot:
            hands = Hands(pilot)
            await hands.press("n")
            await hands.type("sim: say hi")
            await hands.press("tab")
            await hands.type("5")
            assert "--count 5" in plain(app)
            await hands.press("ctrl+s")
            await hands.until(lambda: len(engine.view.runs) == 5)
            await hands.until(lambda: app.screen is screen_of(app))
            assert hands.count <= 4
            assert {run.spec.prompt for run in engine.view.runs.values()} == {"sim: say hi"}
            assert app.forms.draft
            assert app.forms.draft.copies == "1"  # the next run is one


async def test_three_failed_of_twenty_get_a_new_prompt_with_five_keys() -> None:
    engine = threads(failed=3, succeeded=17)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        hands = Hands(pilot)
        await hands.press("w", "A", "e")
        assert "Edit and retry · 3 runs" in shown(app)
        await hands.type("Once more")
        await hands.press("ctrl+s")
        await hands.until(lambda: app.screen is screen_of(app))
        assert hands.count <= 5
        edited = [text for what, text in engine.asked if what == "edit"]
        assert sorted(edited) == [f"run{number:02}: Once more" for number in (3, 10, 17)]


async def test_a_message_to_three_runs_takes_five_keys() -> None:
    engine = threads(failed=0, succeeded=3)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        hands = Hands(pilot)
        await pilot.pause()
        await hands.press("space", "space", "space", "R")
        assert isinstance(app.screen, WriteDialog)
        await hands.type("Add a test")
        await hands.press("ctrl+s")
        await hands.until(lambda: app.screen is screen_of(app))
        assert hands.count <= 5
        sent = [text for what, text in engine.asked if what == "resume"]
        assert sorted(sent) == [f"run{number:02}: Add a test" for number in range(3)]
        assert screen_of(app).panes.run_list.marks.ids == set()


async def test_what_is_typed_first_replaces_the_prompt_of_several_runs() -> None:
    engine = threads(failed=0, succeeded=2)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        hands = Hands(pilot)
        await pilot.pause()
        await hands.press("A", "e")
        area = app.screen.query_one(PromptArea)
        assert area.text == ""  # their prompts differ
        await hands.type("New")
        assert area.text == "New"


@pytest.mark.parametrize("count", ["0", "x", "1001", "-1", "٣"])
async def test_copies_that_are_no_number_are_refused(count: str) -> None:
    app = app_on(FakeEngine())
    app.forms.draft = Draft()
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("n", *"Go", "tab", *count)
        await pilot.pause()
        assert "Copies: use a number from 1 to" in plain(app)
        assert app.screen.query_one("#start").disabled


@pytest.mark.parametrize("key", ["n", "N"])
async def test_forms_open_on_the_prompt_and_typing_chooses_nothing(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = FakeEngine()
    engine.swarms = NoBatches()  # type: ignore[attr-defined]  the form asks for nothing else
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press(key, *"fix all")
        await pilot.pause()
        assert isinstance(app.screen, NewRun | NewBatch)
        assert app.screen.query_one(PromptArea).text == "fix all"
        for field in app.screen.query(SegmentedControl):
            chosen = field.chosen
            field.focus()
            await pilot.press(*"h l", "space")
            assert field.chosen == chosen
