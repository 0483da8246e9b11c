"""The files of the chosen run in the dashboard: filter, changed only, and back."""

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
    choose,
    four_runs,
    painted,
    screen_of,
)
from textual.pilot import Pilot

from engine.domain.events import ChangesMeasured, FileChange, FilesChanged, Progressed
from engine.domain.model import Stage
from engine.engine import Changes, TreeEntry
from engine.workspaces.checkpoints.changes import ChangeKind, FileDelta
from tui.app import SwarmApp
from tui.widgets.files.files_pane import FilesPane


@pytest.fixture
def engine() -> FakeEngine:
    engine = four_runs()
    engine.folders = {
        "": [
            TreeEntry("src", "src", is_folder=True),
            TreeEntry("README.md", "README.md", size_bytes=2_048),
        ],
        "src": [
            TreeEntry("src/clock.py", "clock.py", size_bytes=100),
            TreeEntry("src/main.py", "main.py", size_bytes=100),
        ],
    }
    engine.measured = Changes((FileDelta("src/main.py", ChangeKind.MODIFIED, 5, 2),))
    return engine


def pane_of(app: SwarmApp) -> FilesPane:
    pane = screen_of(app).panes.chosen.files_pane
    assert pane is not None
    return pane


def names(app: SwarmApp) -> list[str]:
    tree = pane_of(app).files
    rows = [tree.render_line(y).text for y in range(min(tree.page, tree.line_count))]
    return [next(word for word in row[1:].split() if len(word) > 1) for row in rows]


async def becomes(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for what is done beside the screen's own work."""
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.01)
    await painted(pilot)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_a_filter_as_one_types_and_esc_shows_all(
    engine: FakeEngine, size: tuple[int, int]
) -> None:
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await choose(pilot, "c3")
        await pilot.press("f")
        await becomes(pilot, lambda: names(app) == ["src", "README.md"])
        await pilot.press("slash", *"xclo")  # x cancels nothing while one types
        assert not engine.asked
        pane_of(app).filter_input.value = "clo"
        await becomes(pilot, lambda: names(app) == ["src", "clock.py"])
        await pilot.press("enter")
        assert app.focused is pane_of(app).files
        assert pane_of(app).filter_input.display
        await pilot.press("escape")
        await becomes(pilot, lambda: names(app) == ["src", "README.md"])
        assert not pane_of(app).filter_input.display
        assert screen_of(app).panes.pane == "files"
        await pilot.press("slash", "q", "escape", "w")
        await becomes(pilot, lambda: names(app) == ["src", "main.py"])
        await pilot.press("escape")
        assert names(app) == ["src", "README.md"]
        await pilot.press("escape")
        assert screen_of(app).panes.pane == "runs"


async def test_the_runs_keep_their_own_filter(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        await pilot.press("slash", *"pars")
        await pilot.pause()
        assert screen_of(app).panes.filter_input.text == "pars"
        assert screen_of(app).panes.chosen.files_pane is None


async def test_the_filter_stays_when_another_run_is_chosen(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("f", "w")
        await choose(pilot, "b2")
        files = pane_of(app).files
        await becomes(pilot, lambda: files.run_id == "b2" and files.line_count == 2)
        assert names(app) == ["src", "main.py"]


async def test_what_changes_is_measured_anew(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("f")
        await becomes(pilot, lambda: "•" in pane_of(app).files.render_line(0).text)
        engine.measured = Changes((FileDelta("README.md", ChangeKind.ADDED, 9, 0),))
        engine.happen("c3", ChangesMeasured(1, 9, 0))
        await becomes(pilot, lambda: "+9" in pane_of(app).files.render_line(1).text)
        engine.measured = Changes()
        engine.happen("c3", FilesChanged((FileChange("README.md", "deleted"),)))
        await becomes(pilot, lambda: "+9" not in pane_of(app).files.render_line(1).text)


async def test_a_workspace_that_is_made_later_is_shown_when_it_is_there(
    engine: FakeEngine,
) -> None:
    folders, engine.folders = engine.folders, {}
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("f")
        await becomes(pilot, lambda: "No files." in pane_of(app).files.render_line(0).text)
        engine.folders = folders
        made = Progressed(Stage.WORKSPACE_CLONED, "workspace ready", 20, {"path": "/w/c3"})
        engine.happen("c3", made)
        await becomes(pilot, lambda: names(app) == ["src", "README.md"])
