"""5,000 runs cost a key and an event what 50 cost: counted, not timed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast

import pytest
from fake_engine import FakeEngine, S, app_on, screen_of, taken
from textual.pilot import Pilot
from textual.strip import Strip

from engine.domain.events import Notice
from engine.domain.model import Run, RunSpec, Status
from tui.app import SwarmApp
from tui.models import filters
from tui.models.grouped_runs import GroupedRuns
from tui.models.list_options import ListOptions
from tui.screens import allowed
from tui.screens.run_actions import LOOKED_AT
from tui.widgets.runs.run_list import RunList
from tui.widgets.runs.run_painter import RunPainter


def home(count: int) -> FakeEngine:
    engine = FakeEngine()
    for number in range(count):
        run_id = f"r{number:05}"
        spec = RunSpec("p", f"Task {number}", f"p{number % 5}")
        run = Run(run_id, spec, engine.now + number, status=Status.SUCCEEDED, started_at=engine.now)
        run.finished_at = engine.now + 9
        engine.view.put(run)
        engine._events[run_id] = []
    engine.now += count
    engine.add("live", "At work", project="p1")
    engine.pass_through("live", S.PREPARING, S.RUNNING)
    return engine


async def arranged(pilot: Pilot[None]) -> None:
    """Wait until all runs are in the list."""
    async with asyncio.timeout(10):
        while not screen_of(cast(SwarmApp, pilot.app)).panes.run_list.arrangement.is_whole:
            await pilot.pause()
    await pilot.pause()


async def work(count: int, *before: str) -> Counter[str]:
    """Count what some keys and events make the list do."""
    done: Counter[str] = Counter()

    def counted(patch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        real = getattr(owner, name)

        def call(self: object, *args: object, **options: object) -> object:
            done[name] += 1
            return real(self, *args, **options)

        patch.setattr(owner, name, call)

    engine = home(count)
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*before)
        await arranged(pilot)
        with pytest.MonkeyPatch.context() as patch:
            counted(patch, RunList, "draw")
            counted(patch, RunList, "draw_row")
            counted(patch, RunPainter, "parts")
            counted(patch, GroupedRuns, "_place")
            counted(patch, GroupedRuns, "__getitem__")
            counted(patch, GroupedRuns, "line_of")
            counted(patch, ListOptions, "key")
            for key in ("j", "pagedown", "G", "v", "k"):
                await pilot.press(key)
                await pilot.pause()
            for _ in range(3):
                engine.happen("live", Notice("info", "x"))
                await taken(pilot)
            engine.pass_through("live", S.VERIFYING)
            await taken(pilot)
        assert screen_of(app).panes.run_list.line_count > count
    return done


@pytest.mark.parametrize("before", [("b",), ("T",)], ids=str)
async def test_keys_and_events_cost_what_is_on_the_screen(before: tuple[str, ...]) -> None:
    few = await work(50, *before)
    many = await work(5_000, *before)
    # At the first notice and at the end: a notice changes no place, which is known from then on.
    assert few["_place"] == many["_place"] == 2
    for name, calls in many.items():
        # A long list has pages to scroll where a short one has an end; tiles are smaller.
        assert calls <= 4 * few[name] + 100, name


async def test_a_filter_is_compiled_once_and_asks_each_run_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, asked = home(500), Counter[str]()
    real = filters._holds

    def counted(run: Run, text: str) -> bool:
        asked[run.id] += 1
        return real(run, text)

    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("slash")
        monkeypatch.setattr(filters, "_holds", counted)
        await pilot.press("7")
        await pilot.pause()
        assert len(asked) == 501
        assert set(asked.values()) == {1}
        asked.clear()
        engine.happen("live", Notice("info", "x"))
        await taken(pilot)
        assert asked == {"live": 1}


async def test_a_key_is_painted_at_once_however_seldom_events_are() -> None:
    engine = home(50)
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        drawn: list[int] = []
        runs = screen_of(app).panes.run_list
        real = runs.draw

        def draw(line: int, width: int) -> Strip:
            drawn.append(line)
            return real(line, width)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tui.widgets.base.throttle.FLUSH_S", 3600.0)
            patch.setattr(runs, "draw", draw)
            runs._pace.ask()  # from here on events are not painted for an hour
            engine.happen("live", Notice("warning", "Not to be seen"))
            for _ in range(3):
                drawn.clear()
                await pilot.press("j")
                await pilot.pause()
                assert set(drawn) == {runs.cursor_line - 1, runs.cursor_line}


async def test_keys_of_a_long_heading_are_shown_without_asking_each_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    allows = allowed.allows

    def counted(run: Run, action: str) -> bool:
        asked.append(run.id)
        return allows(run, action)

    monkeypatch.setattr(allowed, "allows", counted)
    app = app_on(home(5_000))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("b", "b")  # in batches: all are under the heading of none
        await arranged(pilot)
        await pilot.press("g")
        assert screen_of(app).browser.several > LOOKED_AT
        asked.clear()
        screen_of(app).refresh_bindings()
        await pilot.pause()
        assert screen_of(app).check_action("retry_run", ()) is True
        assert screen_of(app).check_action("cancel_run", ()) is True  # one of them is at work
        assert screen_of(app).check_action("start_run", ()) is None
        assert len(asked) < LOOKED_AT
