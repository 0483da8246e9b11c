"""The form that starts a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import (
    NARROW,
    FakeEngine,
    app_on,
    choose,
    chosen,
    four_runs,
    listed,
    shown,
    until,
)
from textual.events import Key, Paste
from textual.widgets import Button, Input

from engine.config import ProjectSettings
from engine.domain.errors import user_error
from engine.domain.model import Agent, RunSpec
from engine.engine import Consent
from tui.screens.confirm import Confirm
from tui.screens.new_run import NewRun
from tui.widgets.prompt_area import PromptArea


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


async def test_the_form_starts_a_run_and_the_list_chooses_it(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await choose(pilot, "b2")
        await pilot.press("n")
        await pilot.pause()
        form = app.screen
        assert isinstance(form, NewRun)
        assert form.query_one("#start", Button).disabled
        await pilot.press("ctrl+s")
        assert engine.asked == []
        await pilot.press(*"Do it", "enter", *"now")
        assert not form.query_one("#start", Button).disabled
        await pilot.press("tab", "tab", "right", "ctrl+s")
        await until(pilot, lambda: len(listed(app)) == 5)
        run = engine.view.runs["new1"]
        assert run.spec == RunSpec("Do it\nnow", "Do it", Path.cwd().name, agent=Agent.SIMULATED)
        assert chosen(app) == "new1"


async def test_the_form_shows_a_refusal_with_its_way_out_and_stays(engine: FakeEngine) -> None:
    engine.refusal = user_error("SOURCE_NOT_FOUND", "[/red] is not there.", "Check [it].")
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Go")
        await pilot.press("tab", "tab", "tab", "right")
        folder = app.screen.query_one("#folder", Input)
        folder.value = ""
        await pilot.pause()
        assert "Name the folder to work from." in shown(app)
        folder.value = "~/nowhere"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, NewRun)
        assert "[/red] is not there." in shown(app)
        assert "Check [it]." in shown(app)


async def test_what_was_typed_survives_leaving_the_form(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Half a thought", "escape")
        await pilot.pause()
        assert not isinstance(app.screen, NewRun)
        await pilot.press("n")
        await pilot.pause()
        assert "Half a thought" in shown(app)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
async def test_pasted_lines_stay_lines_and_cannot_act(engine: FakeEngine, end: str) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n")
        await pilot.pause()
        app.post_message(Paste(f"one{end}\x1b[31mtwo{end}three"))
        await pilot.pause()
        assert app.screen.query_one(PromptArea).text == "one\ntwo\nthree"


async def test_a_burst_of_keys_goes_to_the_fields_it_was_meant_for(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n")
        await pilot.pause()
        for key in ("D", "o", "tab", "I", "t", "shift+tab", "!"):
            app.post_message(Key(key, key if len(key) == 1 else None))
        await pilot.pause()
        assert app.screen.query_one(PromptArea).text == "Do!"
        assert app.screen.query_one("#title", Input).value == "It"


@pytest.mark.parametrize(
    ("key", "started", "trusted"), [("t", True, True), ("w", True, False), ("b", False, False)]
)
async def test_settings_of_a_repository_are_asked_about(
    engine: FakeEngine, key: str, started: bool, trusted: bool
) -> None:
    asks = ProjectSettings(setup=("npm ci", "[/red] \x1b[31m" + "x" * 900))
    consent = Consent("/[/red]/shop/.swarm/config.yaml", "digest", asks, {})
    engine.trust.consent = consent
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", *"Go", "ctrl+s")
        while not isinstance(app.screen, Confirm):
            await pilot.pause()
        assert engine.asked == []
        text = shown(app)
        for part in ("/[/red]/shop/", "runs npm ci", "outside Codex's sandbox", "read the file"):
            assert part in text
        assert "\x1b" not in text
        await pilot.press(key)
        if started:
            await until(pilot, lambda: len(listed(app)) == 5)
            assert engine.view.runs["new1"].spec.with_setup is (None if trusted else False)
        else:
            await pilot.pause()
            assert isinstance(app.screen, NewRun)
            assert engine.asked == []
        assert engine.trust.given == ([consent] if trusted else [])
