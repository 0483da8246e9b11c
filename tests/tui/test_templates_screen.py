"""The templates on their screen: previewed, picked up live, started, what they have achieved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from fake_engine import LIMIT_S, NARROW, WIDE, FakeEngine, app_on, painted, plain, shown
from textual.pilot import Pilot
from textual.widgets import Button

from engine.config.paths import Paths
from engine.domain.model import RunSpec, Sandbox, TemplateStats
from engine.engine import Consent
from engine.store.store import Store
from engine.templates.service import Templates
from engine.trust.service import Trust
from tui.formatting.numbers import length, tokens
from tui.models.draft import Draft, FormChoices
from tui.screens.new_run import NewRun
from tui.screens.template_choice import TemplateChoice
from tui.screens.templates import TemplatesScreen

MINE = """description: Says a word
params:
  word: {help: the word to say}
  times: {type: number, default: 2, check: 1 <= value <= 9}
prompt: "say {{ word }} {{ times }} times"
timeout: 5m
"""
TYPED = """description: Of every kind
params:
  loud: {type: flag, default: false, help: as loud as can be}
  tone: {type: choice, choices: [low, high]}
  where: {type: path, default: .}
prompt: "{% if loud %}shout{% else %}say{% endif %} it {{ tone }} in {{ where }}"
sandbox: read-only
verify: test -d {{ where }}
"""


class Figures:
    """The store's part: what was achieved."""

    async def achieved(self) -> dict[str, TemplateStats]:
        return {"mine": TemplateStats(4, 4, 3, 125.0, 12_000)}


class Trusting:
    """Trusts everything."""

    async def missing(self, requests: object) -> list[Consent]:
        return []

    async def require(self, requests: object) -> list[Consent]:
        return []


async def until(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait for what a thread reads from the disk; nobody tells us, so look again and again."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.01)
    await painted(pilot)


@pytest.fixture
def own(paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = paths.config.parent / "templates"
    folder.mkdir()
    (folder / "mine.yaml").write_text(MINE)
    return folder


@pytest.fixture
def engine(paths: Paths, own: Path) -> FakeEngine:
    engine = FakeEngine()
    engine.templates = Templates(paths, cast(Store, Figures()), cast(Trust, Trusting()))
    return engine


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_each_is_listed_and_previewed(engine: FakeEngine, size: tuple[int, int]) -> None:
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "analyze" in shown(app))
        assert "Answer a question about the code" in shown(app)
        for _ in range(5):
            await pilot.press("j")
        await until(pilot, lambda: "Says a word" in shown(app))
        text = shown(app)
        for figure in ("4 runs", "75%", length(125.0), tokens(12_000)):
            assert figure in text
        assert "word (text, needed): the word to say" in text and "at most 5m" in text
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, TemplatesScreen))


async def test_edits_are_picked_up_and_mistakes_told(engine: FakeEngine, own: Path) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "mine" in shown(app))
        (own / "aaa.yaml").write_text("description: d\nprompt: '{{ [/red] }}'\n")
        screen = cast(TemplatesScreen, app.screen)
        screen.tick()
        await until(pilot, lambda: "cannot be used" in shown(app))
        await pilot.press("g")
        await until(pilot, lambda: "aaa.yaml:2: `prompt`" in shown(app))
        await pilot.press("enter")
        assert isinstance(app.screen, TemplatesScreen)


async def test_a_run_is_started_with_what_was_typed(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunSpec] = []
    start = engine.start

    async def remember(spec: RunSpec) -> object:
        started.append(spec)
        return await start(spec)

    monkeypatch.setattr(engine, "start", remember)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "mine" in shown(app))
        for _ in range(5):
            await pilot.press("j")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NewRun))
        await until(pilot, lambda: "needs the parameter `word`" in shown(app))
        assert not started
        await pilot.press(*"tree", "tab", "backspace", "0")
        await until(pilot, lambda: "does not fit" in shown(app))
        await pilot.press("backspace", "3", "ctrl+s")
        await until(pilot, lambda: bool(started))
    (spec,) = started
    assert (spec.prompt, spec.title, spec.template) == ("say tree 3 times", "mine", "mine")
    assert spec.timeout_s == 300


async def test_the_form_asks_for_parameters_as_what_they_are(engine: FakeEngine, own: Path) -> None:
    (own / "typed.yaml").write_text(TYPED)
    app = app_on(engine)
    app.forms.draft = Draft()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("n", "ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, TemplateChoice))
        await pilot.press(*"typed", "enter")
        await until(pilot, lambda: "needs the parameter `tone`" in shown(app))
        assert app.screen.query_one("#start", Button).disabled
        await pilot.press("right")
        await until(pilot, lambda: "say it low in ." in shown(app))
        await pilot.press("shift+tab", "right")
        await until(pilot, lambda: "as loud as can be" in shown(app))
        assert "Then `test -d .` decides" in plain(app)
        await pilot.press("tab", "tab", *"docs", "tab", *"Now.", "ctrl+l", "ctrl+s")
        await until(pilot, lambda: "new1" in engine.view.runs)
    spec = engine.view.runs["new1"].spec
    assert spec.prompt == "shout it low in docs\n\nNow."
    assert (spec.verify, spec.sandbox) == ("test -d docs", Sandbox.READ_ONLY)
    words = "swarm-tui run -t typed -p loud=yes -p tone=low -p where=docs --empty Now."
    assert app.clipboard == words
    choices = engine.memory.recall("new-run", FormChoices)
    assert choices
    assert choices.given == {"typed": {"loud": "yes", "tone": "low", "where": "docs"}}
    assert Draft.begin(choices).template == ""
