"""The frames between panes: dragged, moved by keys, remembered."""

from __future__ import annotations

import pytest
from fake_engine import WIDE, FakeEngine, app_on, four_runs, screen_of
from textual.pilot import Pilot

from tui.app import SwarmApp
from tui.widgets.base.splitters import NAME, SplitShares


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


async def drag(pilot: Pilot[None], start: tuple[int, int], end: tuple[int, int]) -> None:
    await pilot.mouse_down(offset=start)
    await pilot.hover(offset=end)
    await pilot.mouse_up(offset=end)
    await pilot.pause()


def height(app: SwarmApp) -> int:
    return screen_of(app).panes.run_list.region.height


def widths(app: SwarmApp) -> tuple[int, int]:
    chosen = screen_of(app).panes.chosen
    files = chosen.files_pane
    return chosen.log_pane.region.width, files.region.width if files else 0


async def test_frames_are_dragged_and_stay(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("f")
        await pilot.pause()
        before, edge = height(app), widths(app)[0]
        top = screen_of(app).panes.region.y
        await drag(pilot, (60, top + before), (60, top + before + 5))
        assert height(app) == before + 6
        await drag(pilot, (edge - 1, 35), (89, 35))
        assert widths(app) == (90, 30)
        await drag(pilot, (60, top + height(app)), (60, 39))
        assert height(app) < 32
        await drag(pilot, (5, top + 2), (30, top + 4))  # there is no frame at that place
        await pilot.press("escape", "z")
        await pilot.pause()
        assert height(app) == 37
        await pilot.press("z")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert height(app) == 20
    shares = engine.memory.recall(NAME, SplitShares)
    assert shares and set(shares.of) == {"table", "log"}
    again = app_on(engine)
    async with again.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert height(again) > before


async def test_keys_move_the_frame_too(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        before = height(app)
        await pilot.press("greater_than_sign")
        await pilot.pause()
        larger = height(app)
        assert larger > before
        await pilot.press("less_than_sign", "less_than_sign")
        await pilot.pause()
        assert height(app) < larger
