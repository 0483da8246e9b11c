"""A list of very many runs is arranged in slices: keys are read between, and nothing is lost."""

from __future__ import annotations

import asyncio

import pytest
from fake_engine import FakeEngine, S, app_on, chosen, listed, screen_of
from textual.pilot import Pilot

from engine.domain.attention import Attention
from engine.domain.events import Notice
from engine.domain.model import Run, RunSpec
from tui.models import run_standings, slices
from tui.models.grouped_runs import GroupedRuns
from tui.screens import run_browser
from tui.screens.runs import RunsScreen
from tui.services import toast_history

RUNS, AT_ONCE = 60, 10
SIZE = (120, 40)


@pytest.fixture(autouse=True)
def _few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_browser, "AT_ONCE", AT_ONCE)
    monkeypatch.setattr(run_browser, "A_FEW", 3)
    monkeypatch.setattr(run_browser, "SLICE_S", 0.0)
    monkeypatch.setattr(run_browser, "SHOWN_S", 0.0)
    for module in (run_standings, toast_history):
        monkeypatch.setattr(module, "AT_ONCE", AT_ONCE)
    monkeypatch.setattr(slices, "SLICE", 3)


def engine_with_runs() -> FakeEngine:
    engine = FakeEngine()
    for number in range(RUNS):
        run_id = f"r{number:03}"
        word = "needle" if number in (3, RUNS - 1) else "hay"
        spec = RunSpec("p", f"Task {word} {number}", "p1")
        run = Run(run_id, spec, engine.now + number, status=S.FAILED, seq=1)
        engine.view.put(run)
        engine._events[run_id] = []  # pyright: ignore[reportPrivateUsage]  a run without a log
    return engine


async def whole(pilot: Pilot[None], screen: RunsScreen) -> None:
    """Wait until all runs are arranged."""
    async with asyncio.timeout(10):
        while not screen.panes.run_list.arrangement.is_whole:
            await pilot.pause()
    await pilot.pause()


async def test_the_first_runs_are_shown_at_once_and_the_others_follow() -> None:
    app = app_on(engine_with_runs())
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        seen: list[int] = []
        show_more = screen.panes.run_list.show_more

        def noted(runs: list[Run]) -> None:
            seen.append(screen.panes.run_list.arrangement.run_count)
            show_more(runs)

        screen.panes.run_list.show_more = noted  # type: ignore[method-assign]
        screen.rearrange()
        assert screen.panes.run_list.arrangement.run_count == AT_ONCE
        assert "looking for more" in str(screen.panes.run_list.border_title)
        await whole(pilot, screen)
        assert len(listed(app)) == RUNS
        assert "looking" not in str(screen.panes.run_list.border_title)
        assert len(seen) > 5, "they were shown bit by bit"


async def test_a_word_of_the_filter_finds_old_runs_and_takes_the_next_letter_meanwhile() -> None:
    app = app_on(engine_with_runs())
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        screen.browser.filter("n")
        screen.browser.filter("needle")  # the first was not done
        assert listed(app)[0] == f"r{RUNS - 1:03}"
        await whole(pilot, screen)
        assert listed(app) == [f"r{RUNS - 1:03}", "r003"]


async def test_the_cursor_and_marks_stay_on_old_runs_in_another_order() -> None:
    app = app_on(engine_with_runs())
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        await whole(pilot, screen)
        screen.reveal("r002")
        screen.panes.run_list.marks.set(["r001", "r004"])
        await pilot.pause()
        await pilot.press("s")
        await whole(pilot, screen)
        assert chosen(app) == screen.panes.run_list.cursor_run == "r002"
        assert screen.panes.run_list.marks.ids == {"r001", "r004"}


def pause(screen: RunsScreen) -> None:
    """Arrange again, and leave the runs that do not come at once to the test."""
    screen.browser._arrange_rest = _nothing  # type: ignore[method-assign]
    screen.rearrange()


async def _nothing() -> None:
    """Arrange nothing."""


async def test_the_cursor_stays_where_its_run_no_longer_matches_while_more_are_found() -> None:
    app = app_on(engine_with_runs())
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        run_list = screen.panes.run_list
        await whole(pilot, screen)
        screen.reveal("r002")
        screen.browser.reverse()  # the oldest come first: those found later stand above
        await whole(pilot, screen)
        pause(screen)
        screen.browser.filter("needle")
        latest = f"r{RUNS - 1:03}"
        assert run_list.cursor_run == latest
        screen.browser.finish()
        await pilot.pause()
        assert listed(app) == ["r003", latest]
        assert run_list.cursor_run == chosen(app) == latest


async def test_marks_follow_runs_that_are_forgotten_or_not_arranged_yet() -> None:
    engine = engine_with_runs()
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        run_list = screen.panes.run_list
        await whole(pilot, screen)
        run_list.marks.set(["r001", "r004"])
        pause(screen)
        await pilot.press("space")  # marks the newest, and no old mark is lost
        assert run_list.marks.ids == {"r001", "r004", f"r{RUNS - 1:03}"}
        engine.forget("r004")
        await pilot.pause()
        await pilot.press("space")
        assert "r004" not in {run.id for run in screen.browser.marked()}
        screen.browser.finish()
        assert run_list.marks.ids >= {"r001", f"r{RUNS - 1:03}"}
        assert "r004" not in run_list.marks.ids


async def test_an_old_run_is_revealed_although_it_is_not_arranged_yet() -> None:
    app = app_on(engine_with_runs())
    async with app.run_test(size=SIZE) as pilot:
        screen = screen_of(app)
        screen.rearrange()
        assert "r002" not in screen.panes.run_list.arrangement
        screen.reveal("r002")
        assert screen.panes.run_list.cursor_run == "r002"
        await whole(pilot, screen)
        assert isinstance(screen.panes.run_list.arrangement, GroupedRuns)
        assert len(listed(app)) == RUNS


async def test_the_latest_runs_are_counted_at_once_and_each_of_the_others_once() -> None:
    engine = engine_with_runs()
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        counts = screen_of(app).top_bar.counts
        assert AT_ONCE <= counts[Attention.NEEDS_YOU] < RUNS
        engine.pass_through("r000", S.QUEUED)  # counted once, as it is now
        engine.pass_through(f"r{RUNS - 1:03}", S.QUEUED)
        async with asyncio.timeout(10):
            while screen_of(app).top_bar.counts[Attention.NEEDS_YOU] < RUNS - 2:
                await pilot.pause()
        for _ in range(20):
            await pilot.pause()
        counts = screen_of(app).top_bar.counts
        assert counts[Attention.NEEDS_YOU] == RUNS - 2
        assert counts[Attention.QUEUED] == 2


async def test_old_runs_that_failed_before_the_start_ring_no_bell() -> None:
    engine = engine_with_runs()
    app = app_on(engine)
    async with app.run_test(size=SIZE) as pilot:
        await whole(pilot, screen_of(app))
        async with asyncio.timeout(10):
            while screen_of(app).top_bar.counts[Attention.NEEDS_YOU] < RUNS:
                await pilot.pause()
        await pilot.pause()
        for run_id in ("r000", "r030"):
            engine.happen(run_id, Notice("info", "its workspace was moved"))
            await pilot.pause()
        assert not app.toasts.records
