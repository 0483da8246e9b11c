"""The first screen answers its questions without a key: order, folds, counters, tabs."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

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
    painted,
    screen_of,
    shown,
    taken,
)
from forty_runs import LIVE, forty_runs

from engine.domain.events import CheckpointTaken, Notice
from engine.domain.model import Applied
from tui.app import SwarmApp
from tui.formatting.legend import glyph_rows
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import ListOptions
from tui.models.older_runs import LATEST, OLDER


def row_of(app: SwarmApp, title: str) -> str:
    return next(line for line in shown(app).splitlines() if title in line)


def rows_shown(app: SwarmApp) -> list[str]:
    lines = screen_of(app).panes.run_list.arrangement
    return [str(lines[line]) for line in range(len(lines))]


async def test_what_is_run_x_doing_takes_no_key() -> None:
    for size in (NARROW, WIDE, (160, 45), (220, 60)):
        app = app_on(forty_runs())
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            assert "$ pytest -q" in row_of(app, "Port the command")
            assert "I read the three chapters" in row_of(app, "Write the user guide")
            assert "Check failed: 2 failed" in row_of(app, "Fix the date parser")
            assert "waiting for Write release" in row_of(app, "Publish the package")
            assert "stalled: no sign of life" in row_of(app, "Find the memory")


async def test_runs_that_need_the_user_come_first_then_running_queued_and_finished() -> None:
    engine = forty_runs()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        statuses = [engine.view.runs[run_id].status for run_id in listed(app)]
        assert statuses[1:13] == [
            S.INTERRUPTED, *[S.FAILED] * 3, *[S.RUNNING] * 3, *[S.QUEUED] * 5
        ]  # fmt: skip
        assert statuses[0] is S.RUNNING  # stalled
        finished = [run_id for run_id in listed(app) if engine.view.runs[run_id].finished_at]
        ended = [engine.view.runs[one].created_at for one in finished[4:]]
        assert ended == sorted(ended, reverse=True)


def applied(engine: FakeEngine, run_id: str) -> None:
    engine.add(run_id, f"Task {run_id}")
    engine.pass_through(run_id, S.PREPARING, S.RUNNING, S.SUCCEEDED)
    taken_home = Applied("edits", "/s", 1, 1, engine.now)
    engine.happen(run_id, CheckpointTaken(1, "x", "ref"), Notice("info", "applied", taken_home))


async def test_applied_runs_after_the_latest_ten_stand_on_one_row_that_a_key_opens() -> None:
    engine = four_runs()
    for number in range(LATEST + 3):
        applied(engine, f"z{number:02}")
    app = app_on(engine)
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.pause()
        assert "… 3 older applied runs" in shown(app)
        assert "Task z02" not in shown(app) and "Task z03" in shown(app)
        await pilot.press("G")
        assert chosen(app) is None
        await pilot.press("enter")
        await pilot.pause()
        assert "▾ 3 older applied runs" in shown(app) and "Task z02" in shown(app)
        await pilot.press("left")
        await pilot.pause()
        assert "Task z02" not in shown(app)
        await pilot.press("slash", *"z02")
        await pilot.pause()
        assert listed(app) == ["z02"] and "Task z02" in shown(app)
        await pilot.press("escape")
        await choose(pilot, "z01")
        await pilot.pause()
        assert chosen(app) == "z01" and "Task z01" in shown(app)


async def test_the_cursor_stays_on_its_run_and_live_runs_stay_at_the_top() -> None:
    engine = forty_runs()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, LIVE)
        engine.add("1qj8d00000", "A new one")
        engine.pass_through("1qj8d00000", S.PREPARING, S.RUNNING, S.FAILED)
        await taken(pilot)
        assert chosen(app) == LIVE
        assert listed(app)[0] == "1qj8d00000"
        assert screen_of(app).panes.run_list.scroll_offset.y == 0
        engine.pass_through(LIVE, S.SUCCEEDED)
        await taken(pilot)
        assert chosen(app) == LIVE
        assert screen_of(app).panes.run_list.cursor_run == LIVE


def test_folds_move_one_run_over_the_border_at_a_time() -> None:
    engine, chance = four_runs(), random.Random(3)
    kept = GroupedRuns(ListOptions(), engine.view.runs, engine.now)
    for number in range(3 * LATEST):
        run_id = f"y{chance.randrange(99):02}{number:02}"
        applied(engine, run_id)
        kept.update([run_id], engine.now)
        if number % 4 == 3:
            done = [run.id for run in engine.view.runs.values() if run.is_applied]
            back = chance.choice(
                [one for one in done if engine.view.runs[one].status is S.SUCCEEDED]
            )
            engine.pass_through(back, S.QUEUED, S.PREPARING)
            kept.update([back], engine.now)
        again = GroupedRuns(ListOptions(), engine.view.runs, engine.now)
        assert [kept[n] for n in range(len(kept) - 1)] == [again[n] for n in range(len(again) - 1)]
        assert list(kept.ids()) == list(again.ids())
    older = [one for one in kept.ids() if kept.group_of(one) == OLDER]
    settled = [one for one in engine.view.runs.values() if one.is_applied and one.finished_at]
    assert len(older) == len([one for one in settled if one.status is S.SUCCEEDED]) - LATEST


async def test_counters_follow_events_and_add_up() -> None:
    engine = forty_runs()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        counts = screen_of(app).top_bar.counts
        assert list(counts.values()) == [3, 5, 5, 5, 22]
        engine.pass_through(LIVE, S.FAILED)
        await taken(pilot)
        assert list(screen_of(app).top_bar.counts.values()) == [2, 5, 6, 5, 22]
        assert sum(counts.values()) == len(engine.view.runs)


async def test_a_click_on_a_tab_shows_its_screen() -> None:
    app = app_on(four_runs())
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        for name, mode in (
            ("6 Doctor", "doctor"),
            ("3 Template", "templates"),
            ("1 Runs", "runs"),
        ):
            tabs = shown(app).splitlines()[0]
            await pilot.click(offset=(tabs.index(name), 0))
            await pilot.pause()
            assert app.current_mode == mode


async def test_simulated_runs_are_labelled_without_a_column() -> None:
    app = app_on(four_runs())
    async with app.run_test(size=NARROW) as pilot:
        await pilot.pause()
        assert "Port the tests sim" in row_of(app, "Port the tests")
        assert "sim" not in shown(app).splitlines()[3]


async def test_help_explains_every_glyph_on_the_screen() -> None:
    known = {row.glyph for row in glyph_rows()}
    app = app_on(forty_runs())
    async with app.run_test(size=(160, 60)) as pilot:
        await pilot.press("space")
        await pilot.pause()
        rows = [line[1:7].split() for line in shown(app).splitlines()[4:28]]
        used = {sign for row in rows for sign in "".join(row) if not sign.isalnum()}
        counted = {line for line in shown(app).splitlines()[1].split() if not line.isalnum()}
        assert (used | counted) - {"│", "╰", "─"} <= known
        await pilot.press("question_mark")
        await pilot.pause()
        assert "same lines as another run (see i)" in shown(app)


async def test_a_key_pressed_before_the_first_paint_leaves_no_frozen_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = SwarmApp.on_ready

    async def on_ready(app: SwarmApp) -> None:
        await app.switch_mode("doctor")
        begin(app)

    monkeypatch.setattr(SwarmApp, "on_ready", on_ready)
    app, drawn = app_on(four_runs()), list[object]()
    display = cast("Callable[[object, object], None]", app._display)  # pyright: ignore[reportPrivateUsage]  what no port shows

    def displayed(screen: object, what: object) -> None:
        drawn.append(screen)
        display(screen, what)

    monkeypatch.setattr(app, "_display", displayed)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("1")
        await painted(pilot)
        drawn.clear()
        await pilot.press("j")
        await painted(pilot)
        assert app.screen in drawn
