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


def widths(app: SwarmApp) -> tuple[int, int, int]:
    panes = screen_of(app).panes
    parts = (panes.run_list, panes.chosen.log_pane, panes.chosen.files_pane)
    return tuple(part.region.width for part in parts)  # pyright: ignore[reportReturnType]  one shape for the test


async def test_frames_are_dragged_and_stay(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        before = widths(app)
        await drag(pilot, (before[0], 10), (69, 10))
        assert widths(app)[0] == 70
        edge = 70 + widths(app)[1]
        await drag(pilot, (edge - 1, 20), (99, 20))
        assert widths(app) == (70, 30, 20)
        await drag(pilot, (70, 10), (119, 10))
        assert 15 < widths(app)[0] < 105
        await drag(pilot, (5, 10), (30, 10))  # that is no frame
        await pilot.press("z")
        await pilot.pause()
        assert widths(app)[0] == 120
        await pilot.press("z")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert widths(app)[0] == 80
    shares = engine.memory.recall(NAME, SplitShares)
    assert shares and set(shares.of) == {"runs", "log"}
    again = app_on(engine)
    async with again.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert widths(again)[0] > before[0]


async def test_keys_move_the_frame_too(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        before = widths(app)[0]
        await pilot.press("greater_than_sign")
        await pilot.pause()
        wider = widths(app)[0]
        assert wider > before
        await pilot.press("less_than_sign", "less_than_sign")
        await pilot.pause()
        assert widths(app)[0] < wider
