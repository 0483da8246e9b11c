"""Plan, pulse, pace and quiet runs beside the progress of the chosen run."""

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
from support import becomes

from engine.domain.events import Notice, PlanChanged, Progressed, StatusChanged, Step
from engine.domain.model import Pause, PlanItem, Stage, Status
from engine.domain.reasons import Subject
from tui.widgets.runs.pulse import BAR_S, BARS, Pulse


def plan(done: int, of: int = 4) -> PlanChanged:
    return PlanChanged(tuple(PlanItem(f"Step {n + 1}.", n < done) for n in range(of)))


@pytest.fixture
def engine() -> FakeEngine:
    engine = four_runs()
    engine.happen("c3", Progressed(Stage.EXECUTING, "thinking", 30))
    return engine


async def test_the_plan_is_a_checklist_that_moves(engine: FakeEngine) -> None:
    engine.happen("c3", plan(0))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        assert [shown(app).count(mark) for mark in ("☑ Step", "☐ Step")] == [0, 4]
        engine.happen("c3", plan(2))
        screen_of(app).tick()
        await pilot.pause()
        assert [shown(app).count(mark) for mark in ("☑ Step", "☐ Step")] == [2, 2]
        await pilot.press("P")
        await pilot.pause()
        assert "☑ Step" not in shown(app)
        await choose(pilot, "a1")
        await pilot.press("P")
        await choose(pilot, "c3")
        assert shown(app).count("☑ Step") == 2


async def test_a_long_plan_shows_where_it_is_and_all_of_it_when_asked(engine: FakeEngine) -> None:
    engine.happen("c3", plan(9, of=14))
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        assert "☐ Step 10." in shown(app)
        assert "☑ Step 1." not in shown(app)
        assert "3 more (P)" in shown(app)
        await pilot.resize_terminal(120, 70)
        await pilot.press("P")
        await pilot.pause()
        for number in range(1, 15):
            assert f" Step {number}." in shown(app)


async def test_a_short_screen_shows_the_plan_only_when_asked(engine: FakeEngine) -> None:
    engine.happen("c3", plan(1))
    app = app_on(engine)
    async with app.run_test(size=(80, 20)) as pilot:
        await choose(pilot, "c3")
        await pilot.press("l")
        await pilot.pause()
        assert "☐ Step 2." not in shown(app)
        await pilot.press("P")
        await pilot.pause()
        assert "☐ Step 2." in shown(app)


async def test_what_a_run_does_has_a_clock_and_its_plan_a_time_left(engine: FakeEngine) -> None:
    engine.happen("c3", plan(0))
    engine.happen("c3", plan(2), after_s=120)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        assert "~2m left" in shown(app)
        done = Step("tool", "command", "completed", "ls", command="ls", exit_code=0)
        engine.happen("c3", done, after_s=30)
        engine.now += 12
        screen_of(app).tick()
        await pilot.pause()
        assert "thinking for 0:12" in shown(app)
        engine.happen("c3", Step("assistant", "message", "completed", "Hm.\nAnd more."))
        screen_of(app).tick()
        await pilot.pause()
        assert "thinking for" not in shown(app)
        assert "Hm." in [line.strip() for line in shown(app).splitlines()]
        assert "~1m left" in shown(app)


async def test_quiet_and_stalled_runs_say_so_in_words(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        assert "quiet" not in shown(app)
        engine.now += 130
        screen_of(app).tick()
        await pilot.pause()
        assert "◌ quiet" in shown(app)
        assert "◌ silent for 2:1" in shown(app)
        engine.happen("c3", Notice("warning", "stalled: silent for 5:00", subject=Subject.STALLED))
        screen_of(app).tick()
        await pilot.pause()
        assert "! stalled  Port the tests" in shown(app)
        assert "! stalled: silent for 5:00" in shown(app)


async def test_events_beat_and_fade(engine: FakeEngine) -> None:
    for _ in range(5):
        engine.happen("c3", Notice("info", "beat"), after_s=BAR_S)
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        await choose(pilot, "c3")
        await pilot.pause()
        await becomes(lambda: "█" in shown(app))
        engine.now += BAR_S * BARS * 2
        screen_of(app).tick()
        await pilot.pause()
        assert "█" not in shown(app).splitlines()[3]


def test_a_pulse_is_small_whatever_it_has_counted() -> None:
    pulse = Pulse()
    for start in range(0, 100_000, 100):
        pulse.beat(float(at) for at in range(start, start + 100))
    assert len(pulse._counts) <= 2 * BARS + 100 // BAR_S  # pyright: ignore[reportPrivateUsage]  the test looks inside
    drawn = pulse.draw(99_999.0, 80)
    assert [text for text, _ in drawn] == ["█" * BARS]
    assert pulse.draw(99_999.0, 3) == []
    assert [text for text, _ in pulse.draw(200_000.0, 80)] == ["▁" * BARS]


async def test_the_clocks_rest_only_where_none_shows_seconds(engine: FakeEngine) -> None:
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        engine.now += 100
        assert not screen_of(app).rests  # some are live
        engine.happen("c3", StatusChanged(Status.FAILED))
        engine.happen("d4", StatusChanged(Status.CANCELLED))
        await taken(pilot)
        assert not screen_of(app).rests  # an age is shown in seconds
        engine.now += 100
        assert screen_of(app).rests
        await engine.set_slots(3)
        await taken(pilot)
        assert screen_of(app).rests  # what changed has no age
        await engine.set_pause(Pause("a limit", engine.now + 90))
        assert not screen_of(app).rests
