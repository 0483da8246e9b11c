"""The hints of the demo's tour: each stays until it was followed."""

from __future__ import annotations

from fake_engine import WIDE, FakeEngine, app_on, four_runs, shown

from engine.domain.events import StatusChanged
from engine.domain.interaction import InputRequest, RequestKind, RequestPhase
from engine.domain.model import Status
from tui.cli.support.demo_scenes import CRASHING
from tui.cli.support.guided_tour import GuidedTour


async def test_a_hint_stays_until_it_was_followed() -> None:
    engine = four_runs()
    app = app_on(engine)
    async with app.run_test(size=WIDE) as pilot:
        tour = GuidedTour(app)
        tour.refresh()
        await pilot.pause()
        assert "▸ These runs are simulated." in shown(app)
        tour.refresh()
        assert "choose another one" in tour.hint
        for key in ("g", "G"):  # at least one of them moves the cursor
            await pilot.press(key)
            tour.refresh()
        assert "reads the log" in tour.hint
        await pilot.press("enter")
        tour.refresh()
        await pilot.pause()
        assert "choose another" not in tour.hint
        assert f"▸ {tour.hint}"[:40] in shown(app)


async def test_only_a_retry_of_the_user_counts() -> None:
    engine = FakeEngine()
    for run_id, title in (("a", CRASHING), ("b", "Another")):
        engine.add(run_id, title)
        engine.pass_through(run_id, Status.PREPARING, Status.RUNNING, Status.FAILED)
    app = app_on(engine)
    async with app.run_test(size=WIDE):
        tour = GuidedTour(app)
        tour._done |= {"move.down", "run.open"}
        tour.refresh()
        assert "on a failed run tries it again" in tour.hint
        engine.happen("a", StatusChanged(Status.QUEUED))
        tour.refresh()
        assert "on a failed run tries it again" in tour.hint
        engine.happen("b", StatusChanged(Status.QUEUED))
        tour.refresh()
        assert "cancels it" in tour.hint


async def test_hint_of_the_inbox_comes_while_an_agent_asks() -> None:
    engine = FakeEngine()
    engine.add("a", "A task")
    engine.pass_through("a", Status.PREPARING, Status.RUNNING)
    app = app_on(engine)
    async with app.run_test(size=WIDE):
        tour = GuidedTour(app)
        tour._done |= {"move.down", "run.open"}
        tour.refresh()
        assert "agent asks" not in tour.hint
        raised = InputRequest("0", RequestPhase.RAISED, RequestKind.COMMAND, text="npm ci")
        engine.happen("a", raised)
        tour.refresh()
        assert "7 shows the command that an agent asks for" in tour.hint
