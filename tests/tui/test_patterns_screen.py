"""Patterns on their screen: shown as they are, edited, imported, removed and brought back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
from fake_engine import LIMIT_S, NARROW, WIDE, FakeEngine, app_on, painted, shown, toasts
from textual.pilot import Pilot

from engine.config.paths import Paths
from engine.domain.model import Run
from engine.domain.pattern import Pattern, PatternStep, PatternVariable
from engine.patterns.service import Patterns
from engine.store.store import open_store
from tui.screens.confirm import ConfirmDialog
from tui.screens.runs import RunsScreen
from tui.screens.write import WriteDialog
from tui.services.external_programs import ExternalPrograms

STEPS = (PatternStep("run", "dig"), PatternStep("check", "make test"))
TREES = Pattern(
    "Plant trees in a/park.txt", STEPS, (PatternVariable("path", "a/park.txt"),), "1 file"
)


@pytest.fixture
async def engine(paths: Paths) -> AsyncGenerator[FakeEngine]:
    async def find(name: str) -> Run:
        raise AssertionError(name)

    engine = FakeEngine()
    paths.prepare()
    async with open_store(paths.database) as store:
        engine.patterns = Patterns(paths, store, find)
        await store.keep_pattern("p000000001", Pattern("Mow", STEPS[:1]), run="1qj8a0k2m4")
        await store.keep_pattern("p000000002", TREES, run="1qj8a2c3d5")
        yield engine


async def until(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    """Wait for what the store is asked; nobody tells us, so look again and again."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            await pilot.pause(0.01)
    await painted(pilot)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_each_is_shown_removed_and_brought_back(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "Patterns 2" in shown(app))
        for text in ("Plant trees", "┌ run      dig", "└ check ✓  make test", "a/park.txt"):
            assert text in shown(app)
        await pilot.press("j")
        await until(pilot, lambda: "─ run      dig" in shown(app))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("d")
        await until(pilot, lambda: "Patterns 1" in shown(app))
        await pilot.press("u")
        await until(pilot, lambda: "Patterns 2" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_what_comes_back_from_the_editor_is_checked(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["goal: [", "goal: Dig deeper\nsteps:\n  - {kind: run, text: dig}\n"]

    async def lend(self: ExternalPrograms, words: list[str], folder: Path) -> None:
        Path(words[-1]).write_text(texts.pop(0))

    monkeypatch.setattr(ExternalPrograms, "_lend", lend)
    monkeypatch.setenv("EDITOR", "true")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "Plant trees" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: any("PATTERN_INVALID" in one for one in toasts(app)))
        assert "Plant trees" in shown(app)
        await pilot.press("e")
        await until(pilot, lambda: "Dig deeper" in shown(app))
        assert "yours" in shown(app)


async def test_one_is_exported_and_imported(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "Plant trees" in shown(app))
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog))
        assert "enter done" in shown(app)
        await pilot.press("enter")
        file = tmp_path / "p000000002.yaml"
        await until(pilot, file.exists)
        await until(pilot, lambda: not isinstance(app.screen, WriteDialog))
        file.write_text(file.read_text().replace("Plant trees", "Water trees"))
        await pilot.press("I")
        await until(pilot, lambda: isinstance(app.screen, WriteDialog))
        await pilot.press(*"p000000002.yaml", "enter")
        await until(pilot, lambda: "Water trees" in shown(app))
