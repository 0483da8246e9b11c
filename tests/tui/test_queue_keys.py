"""The queue: paused, with more slots or fewer, and what its runs wait for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_engine import (
    NARROW,
    WIDE,
    FakeEngine,
    S,
    app_on,
    choose,
    four_runs,
    listed,
    screen_of,
    shown,
    taken,
    toasts,
    until,
)

from engine.domain.events import LimitsSeen, Notice, Step
from engine.domain.model import LimitWindow, Pause
from engine.domain.reasons import Subject
from tui.app import SwarmApp
from tui.widgets.forms.text_input import TextInput


@pytest.fixture
def engine() -> FakeEngine:
    return four_runs()


def top(app: SwarmApp) -> str:
    return "\n".join(shown(app).splitlines()[:3])


async def test_p_pauses_the_queue_and_lets_it_go_on(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: engine.pause is not None)
        assert engine.pause == Pause("paused by the user")
        assert "PAUSED by the user" in top(app)
        await pilot.press("p")
        await until(pilot, lambda: engine.pause is None)
        assert "PAUSED" not in top(app)


async def test_what_is_typed_into_a_filter_is_no_command(engine: FakeEngine) -> None:
    app = app_on(engine)
    slots = engine.slots
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("slash", "a", "slash", "minus", "plus", "b")
        assert screen_of(app).panes.filter_input.text == "a/-+b"
        assert "/ filter" not in shown(app)
        await pilot.press("escape", "f", "slash", *"src", "slash", "minus", "x")
        assert screen_of(app).query_one("#files-filter", TextInput).value == "src/-x"
        await pilot.press("escape", "l", "slash", "a", "slash", "plus", "b")
        assert screen_of(app).panes.chosen.log_pane.query_one(TextInput).value == "a/+b"
        assert engine.slots == slots


async def test_a_pause_counts_down_and_is_over_when_its_time_has_come(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "d4")
        await engine.set_pause(Pause("a limit", engine.now + 90))
        await taken(pilot)
        assert "PAUSED a limit · goes on in 1:30" in top(app)
        assert "the queue is paused: a limit, goes on in 1:30 (1st)" in shown(app)
        engine.now += 20
        screen_of(app).tick()
        await pilot.pause()
        assert "goes on in 1:10" in top(app)
        engine.now += 70
        screen_of(app).tick()
        await pilot.pause()
        assert "PAUSED" not in top(app)
        assert "waiting for a slot (1st)" in shown(app)
        await pilot.press("p")  # what is over cannot be ended: this begins a new one
        await until(pilot, lambda: engine.pause == Pause("paused by the user"))


async def test_slots_are_changed_one_by_one_however_fast_the_keys(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        assert "1/4" in top(app)
        await pilot.press("plus", "plus", "minus", "plus")
        await until(pilot, lambda: engine.slots == 6)
        await pilot.pause()
        assert "1/6" in top(app)
        await pilot.press(*["minus"] * 6)
        await until(pilot, lambda: bool(toasts(app)))
        assert engine.slots == 1
        assert "1/1" in top(app)
        assert "INPUT_INVALID" in toasts(app)[0]


async def test_the_queue_is_told_by_other_processes_too(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await engine.set_slots(9)
        await taken(pilot)
        assert "1/9" in top(app)


async def test_a_stalled_run_needs_me_until_it_goes_on(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        engine.happen(
            "c3", Notice("warning", "stalled: no sign of life for 5:00", subject=Subject.STALLED)
        )
        await taken(pilot)
        assert "0 running" in top(app)
        assert "2 needs you" in top(app)
        assert "1/4 slots" in top(app)
        await pilot.press("w")
        await pilot.pause()
        assert listed(app) == ["c3", "b2"]
        assert shown(app).count("stalled: no sign of life for 5:00") == 3  # row, header and log
        engine.happen("c3", Step("assistant", "message", "completed", "Back."))
        await taken(pilot)
        assert "1 needs you" in top(app)
        assert listed(app) == ["b2"]


async def test_the_last_run_to_tell_of_limits_is_believed(engine: FakeEngine) -> None:
    def used(percent: float) -> LimitsSeen:
        return LimitsSeen((LimitWindow("primary", percent, 300, engine.now + 3_600),))

    engine.happen("a1", used(10))
    engine.happen("c3", used(20), after_s=1)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.pause()
        assert "5h 20% ↻ " in top(app)
        engine.happen("c3", used(30))
        engine.happen("a1", Notice("info", "later, but of something else"), after_s=5)
        await taken(pilot)
        assert "5h 30%" in top(app)
        await pilot.resize_terminal(*NARROW)
        await pilot.pause()
        assert "5h 30%" in top(app) and "1/4" in top(app)
        engine.now += 4_000
        screen_of(app).tick()
        await pilot.pause()
        assert "5h" not in top(app)


async def test_what_a_run_waits_for(engine: FakeEngine) -> None:
    run = engine.view.runs["d4"]
    run.spec = replace(run.spec, after=("a1", "c3"), not_before=engine.now + 60)
    engine.add("e5", "Later")
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "d4")
        assert "waiting for its time, starts in 0:5" in shown(app)
        engine.now += 60
        screen_of(app).tick()
        await pilot.pause()
        assert "waiting for Port the tests (1st)" in shown(app)
        await choose(pilot, "e5")
        assert "waiting for a slot (2nd)" in shown(app)
        engine.pass_through("d4", S.PREPARING)
        await taken(pilot)
        assert "waiting for a slot (1st)" in shown(app)
