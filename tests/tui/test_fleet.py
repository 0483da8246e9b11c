"""Many runs as tiles."""

from __future__ import annotations

import pytest
from fake_engine import (
    NARROW,
    WIDE,
    FakeEngine,
    S,
    app_on,
    choose,
    chosen,
    four_runs,
    listed,
    screen_of,
    shown,
    taken,
)
from rich.cells import cell_len

from engine.domain.events import Notice, Progressed
from engine.domain.model import Stage
from engine.execution.bus import EventBatch
from tui.app import SwarmApp
from tui.formatting import sparkline
from tui.models.activity_history import STRETCH_S, ActivityHistory
from tui.widgets.runs.run_list import RunList
from tui.widgets.runs.run_tile import best_grid


def fleet(count: int) -> FakeEngine:
    engine = FakeEngine()
    ends = (S.SUCCEEDED, S.FAILED, None, S.INTERRUPTED)
    for number in range(count):
        engine.add(f"r{number:03}", f"Port module {number}", project=f"p{number % 3}")
        end = ends[number % 4]
        engine.pass_through(f"r{number:03}", S.PREPARING, S.RUNNING, *([end] if end else []))
    return engine


def tiles(app: SwarmApp) -> RunList:
    return screen_of(app).panes.run_list


async def test_tiles_move_the_cursor_both_ways_and_open() -> None:
    app = app_on(fleet(40))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("T")
        await pilot.pause()
        across = tiles(app).tiles.across
        assert across > 2
        for key, line in (
            ("right", 1), ("j", across + 1), ("left", across), ("k", 0), ("up", 0), ("left", 0),
            ("G", 39), ("down", 39), ("right", 39), ("g", 0), ("down", across),
        ):  # fmt: skip
            await pilot.press(key)
            assert tiles(app).cursor_line == line, key
            assert line in tiles(app).visible_lines()
        assert chosen(app) == listed(app)[across]
        await pilot.press("enter")
        await pilot.pause()
        panes = screen_of(app).panes
        assert panes.pane == "log"
        assert panes.chosen.log_view.is_on_screen
        assert not tiles(app).is_on_screen
        await pilot.press("escape")
        await pilot.pause()
        assert tiles(app).is_on_screen
        assert tiles(app).cursor_line == across
        await pilot.press("escape")
        await pilot.pause()
        assert tiles(app).tiles.across == 1
        assert panes.chosen.log_view.is_on_screen


async def test_marks_are_the_same_in_list_and_tiles() -> None:
    app = app_on(fleet(12))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("space", "T", "space")
        await pilot.pause()
        marked = set(listed(app)[:2])
        assert tiles(app).marks.ids == marked
        assert shown(app).count("◆") == 2
        await pilot.press("T")
        await pilot.pause()
        assert tiles(app).marks.ids == marked
        assert shown(app).count("◆") == 2


async def test_200_runs_are_all_in_sight_on_a_large_screen() -> None:
    app = app_on(fleet(200))
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.press("T")
        await pilot.pause()
        assert len(tiles(app).visible_lines()) == 200
        text = shown(app)
        assert all(f"module {number}" in text for number in (0, 77, 199))


async def test_a_small_screen_scrolls_and_a_resize_keeps_the_cursor_in_view() -> None:
    app = app_on(fleet(200))
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("T", "G")
        await pilot.pause()
        assert 199 in tiles(app).visible_lines()
        assert len(tiles(app).visible_lines()) < 200
        assert "▌ ✓ Port module 0" in shown(app)
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        assert 199 in tiles(app).visible_lines()
        assert tiles(app).cursor_line == 199


async def test_a_click_chooses_a_tile() -> None:
    app = app_on(four_runs())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("T")
        await pilot.pause()
        place = tiles(app).region_of(1)
        await pilot.click(RunList, offset=(place.x + 4, place.y + 1))
        assert tiles(app).cursor_line == 1
        await pilot.click(RunList, offset=(place.x + 4, 30))
        assert tiles(app).cursor_line == 1


async def test_a_tile_shows_progress_activity_and_pulse() -> None:
    engine = four_runs()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("T")
        await choose(pilot, "c3")
        engine.happen("c3", Progressed(Stage.VERIFYING, "checking the tests", 70))
        engine.happen("c3", *[Notice("info", "x")] * 5, after_s=STRETCH_S)
        await taken(pilot)
        text = shown(app)
        assert "70%" in text
        assert "checking the tests" in text
        assert "█" in text


async def test_headings_are_tiles_too() -> None:
    app = app_on(fleet(20))
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("b", "T", "g")
        await pilot.pause()
        assert len(tiles(app).arrangement) == 23
        assert shown(app).count("▾ p") == 3
        await pilot.press("enter")
        await pilot.pause()
        assert "▸ p0" in shown(app)
        assert len(tiles(app).arrangement) == 23 - 7


@pytest.mark.parametrize("count", [1, 3, 17, 80, 200, 5_000])
@pytest.mark.parametrize("size", [(58, 10), (78, 20), (118, 36), (198, 56)])
def test_the_grid_fits(count: int, size: tuple[int, int]) -> None:
    width, height = size
    across, tall = best_grid(count, width, height)
    assert width // across >= 19
    in_sight = height // tall * across
    assert in_sight >= min(count, width // 19 * height // 2)


async def test_every_row_of_tiles_is_exactly_as_wide_as_the_view() -> None:
    engine = fleet(9)
    engine.add("zzz", "世界\x1b[31m[/red]" * 9)
    for size in (NARROW, (133, 50)):
        async with app_on(engine).run_test(size=size) as pilot:
            await pilot.press("T")
            await pilot.pause()
            assert isinstance(pilot.app, SwarmApp)
            view = tiles(pilot.app)
            for y in range(view.scrollable_content_region.height):
                text = view.render_line(y).text
                assert cell_len(text) == view.scrollable_content_region.width
                assert "\x1b" not in text


def test_the_pulse_counts_by_stretches_and_stops_with_the_run() -> None:
    engine = FakeEngine()
    pulse = ActivityHistory()

    engine.add("a", "x")
    start = engine.now
    assert pulse.lately("a", start, 4) == ()
    engine.happen("a", *[Notice("info", "x")] * 3, after_s=STRETCH_S)
    engine.happen("a", Notice("info", "x"), after_s=2 * STRETCH_S)
    pulse.hear(EventBatch(engine._events["a"]))
    assert pulse.lately("a", engine.now, 5) == [0, 1, 3, 0, 1]
    assert pulse.lately("a", engine.now + 2 * STRETCH_S, 3) == [1, 0, 0]
    engine.pass_through("a", S.CANCELLED)
    pulse.hear(EventBatch(engine._events["a"][-1:]))
    assert pulse.lately("a", engine.now + 100 * STRETCH_S, 3) == [3, 0, 2]


def test_a_sparkline_is_drawn_in_proportion() -> None:
    assert sparkline([0, 1, 4, 8]) == "·▁▄█"
    assert sparkline([]) == ""
