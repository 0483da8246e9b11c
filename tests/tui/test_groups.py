"""Groups of runs, causes of failures, columns and the order, by key."""

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
    plain,
    screen_of,
    shown,
    taken,
    toasts,
    until,
)

from engine.config.settings import UiSettings
from engine.domain.errors import user_error
from engine.domain.events import ErrorRaised, Progressed
from engine.domain.model import Stage
from engine.engine import DiskSpace


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


def failing(engine: FakeEngine, **codes: str) -> None:
    for run_id, code in codes.items():
        engine.add(run_id, f"Task {run_id}")
        engine.pass_through(run_id, S.PREPARING, S.RUNNING)
        engine.happen(run_id, ErrorRaised(user_error(code).info))
        engine.pass_through(run_id, S.FAILED)


async def test_groups_have_headings_that_count_and_fold(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.press("b")
        await pilot.pause()
        assert listed(app) == ["c3", "d4", "a1", "b2"]
        assert "in projects" in shown(app)
        assert "▾ demo ● 1 ○ 1 ✓ 1" in plain(app)
        assert "▾ parser ✗ 1" in plain(app)
        assert chosen(app) == "c3"
        await pilot.press("left")
        await pilot.pause()
        assert "▸ demo" in shown(app)
        assert "Port the tests" not in shown(app)
        await pilot.press("A")
        await pilot.pause()
        assert "1 marked" in shown(app)  # what is folded is not marked
        await pilot.press("ctrl+backslash")
        await pilot.pause()
        assert screen_of(app).run is None
        await pilot.press("j", "j")
        assert chosen(app) == "b2"
        await pilot.press("g", "enter", "j")
        assert chosen(app) == "c3"


async def test_each_grouping_in_turn_and_none_again(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        for words in ("▾ demo", "▾ no batch", "▾ ✗ failed 1"):
            await pilot.press("b")
            assert words in plain(app)
        await pilot.press("b")
        assert "▾" not in shown(app)


async def test_a_run_moves_to_another_group_and_the_cursor_with_it(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("b", "b", "b")
        await choose(pilot, "c3")
        engine.pass_through("c3", S.SUCCEEDED)
        await taken(pilot)
        assert chosen(app) == "c3"
        assert "▾ ✓ succeeded 2" in plain(app)
        assert "▾ ● running" not in plain(app)


async def test_failures_by_cause_are_retried_together(engine: FakeEngine) -> None:
    failing(engine, e5="QUOTA_EXCEEDED", f6="QUOTA_EXCEEDED", g7="RUN_TIMED_OUT")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("C", "g")
        await pilot.pause()
        assert listed(app) == ["f6", "e5", "b2", "g7"]
        assert "2 × quota exceeded" in shown(app)
        assert "Runs 4 of 7 · failed, by cause" in plain(app)
        await pilot.press("r")
        await pilot.pause()
        assert "Retry 2 runs: " in shown(app)
        await pilot.press("r")
        await until(pilot, lambda: engine.view.runs["e5"].attempt == 2)
        assert engine.asked == [("retry", "f6"), ("retry", "e5")]
        assert listed(app) == ["b2", "g7"]
        await pilot.pause()
        assert chosen(app) is None  # on no run of another cause: a key might hit it
        await pilot.press("escape")
        await pilot.pause()
        assert len(listed(app)) == 7


async def test_a_heading_stands_for_its_runs_and_for_no_single_one(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("b", "g", "space")
        assert screen_of(app).panes.run_list.marks.ids == {"a1", "c3", "d4"}
        assert chosen(app) == "c3"
        await pilot.press("g", "space", "g")
        assert screen_of(app).panes.run_list.marks.ids == set()
        await pilot.press("R")
        await pilot.pause()
        assert any("No run is selected" in toast for toast in toasts(app))
        await pilot.press("x")
        await pilot.pause()
        assert "Cancel 2 runs: " in shown(app)


async def test_nothing_failed_says_so(engine: FakeEngine) -> None:
    empty = FakeEngine()
    empty.add("a1", "Only this")
    app = app_on(empty)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("C")
        await pilot.pause()
        assert "No run has failed" in shown(app)


async def test_columns_sort_by_a_click_on_their_heading(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        heads = shown(app).splitlines()[3]
        at = (heads.index("title"), 3)
        await pilot.click(offset=at)
        assert listed(app) == ["b2", "c3", "d4", "a1"]
        assert "title▲" in shown(app)
        await pilot.click(offset=at)
        assert listed(app) == ["a1", "d4", "c3", "b2"]
        assert "title▼" in shown(app)


async def test_sorted_by_progress_a_run_overtakes_and_keeps_the_cursor(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("s", "s", "s", "s")
        assert "by progress" in shown(app)
        before = listed(app)
        await choose(pilot, "c3")
        engine.happen("c3", Progressed(Stage.EXECUTING, "half", 99))
        await taken(pilot)
        assert listed(app) == ["c3", *[one for one in before if one != "c3"]]
        assert chosen(app) == "c3"


async def test_the_filter_is_shown_with_its_matches_and_outlives_a_resize(
    engine: FakeEngine,
) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("slash", *"project:parser", "enter")
        await pilot.resize_terminal(*NARROW)
        await pilot.pause()
        assert listed(app) == ["b2"]
        assert "Runs 1 of 4 · /project:parser" in plain(app)


async def test_the_columns_of_the_settings_and_what_is_wrong_with_them() -> None:
    engine = four_runs(UiSettings(columns=("title", "proyect", "age", "status")))
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        assert shown(app).splitlines()[3].split() == ["title", "age"]
        told = "ui.columns: there is no column proyect. Did you mean project?"
        assert any(told in toast for toast in toasts(app))


async def test_the_space_left_is_in_the_header(engine: FakeEngine) -> None:
    engine.doctor.left_on_disk = DiskSpace(1024**3, is_low=True)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        while "1.0 GiB free" not in shown(app):
            await pilot.pause()
