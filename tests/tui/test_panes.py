"""Panes side by side, as tabs, zoomed, and too small a terminal."""

from __future__ import annotations

import pytest
from fake_engine import (
    NARROW,
    WIDE,
    FakeEngine,
    app_on,
    choose,
    four_runs,
    screen_of,
    shown,
    taken,
)

from engine.domain.events import FileChange, FilesChanged, Notice


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


async def test_narrow_panes_are_tabs(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        panes = screen_of(app).panes

        def visible() -> tuple[bool, bool, bool]:
            chosen_run = panes.chosen
            files = chosen_run.files
            return (
                panes.run_list.is_on_screen,
                chosen_run.log_view.is_on_screen,
                files is not None and files.is_on_screen,
            )

        assert visible() == (True, False, False)
        for key, pane in (
            ("enter", "log"),
            ("right_square_bracket", "files"),
            ("tab", "runs"),
            ("left_square_bracket", "files"),
            ("l", "log"),
            ("f", "files"),
            ("escape", "runs"),
        ):
            await pilot.press(key)
            await pilot.pause()
            assert panes.pane == pane
            assert visible() == tuple(pane == one for one in ("runs", "log", "files"))
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert visible() == (True, True, False)
        await pilot.press("f")
        await pilot.pause()
        assert visible() == (True, True, True)
        await pilot.press("f")
        await pilot.pause()
        assert visible() == (True, True, False)


async def test_zoom_gives_a_pane_the_screen_and_back(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("l", "z")
        await pilot.pause()
        log = screen_of(app).panes.chosen.log_view
        assert log.size.height > 25
        await pilot.press("escape")
        await pilot.pause()
        assert log.size.height < 20
        assert log.has_focus


async def test_too_small_a_terminal_says_so(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=(50, 20)) as pilot:
        await pilot.pause()
        assert "Too small" in shown(app)
        await pilot.resize_terminal(*NARROW)
        await pilot.pause()
        assert "Too small" not in shown(app)
        assert "Tidy up" in shown(app)


async def test_the_chosen_run_has_its_log_and_files(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        engine.happen(
            "c3",
            Notice("warning", "Mind the gap"),
            FilesChanged((FileChange("a.py", "added"),)),
        )
        await taken(pilot)
        assert "Mind the gap" in shown(app)
        await choose(pilot, "a1")
        await pilot.pause()
        assert "Mind the gap" not in shown(app)
