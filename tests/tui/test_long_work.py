"""Work on many runs in the dashboard: its progress above the keys, and `esc` that stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest
from fake_engine import FakeEngine, S, app_on, painted, shown, toasts
from textual.pilot import Pilot

from engine.domain.activity import ALL, Steps
from engine.domain.model import Run
from tui.screens import long_work
from tui.screens.confirm import ConfirmDialog

LIMIT_S = 60


class SlowEngine(FakeEngine):
    """An engine that cancels a run each time it is allowed to."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = asyncio.Semaphore(0)

    async def cancel_all(
        self, runs: Iterable[str], *, kill: bool = False, children: bool = False, work: Steps = ALL
    ) -> list[Run]:
        done, wanted = list[Run](), list(runs)
        for run in wanted:
            if work.stop():
                break
            done.append(await self.cancel(run, kill=kill))
            work.told(len(done), len(wanted))
            await self.allowed.acquire()
        return done


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.01)
    await painted(pilot)


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_esc_stops_a_cancel_of_many_runs_and_keys_answer_meanwhile(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(long_work, "PATIENCE_S", 0.01)
    engine = SlowEngine()
    for number in range(4):
        engine.add(f"w{number}", f"Task {number}")
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.press("A", "x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("x")
        await until(pilot, lambda: "cancelling: 1 of 4" in shown(app))
        assert "esc stops" in shown(app)
        await pilot.press("j", "k")  # the list is still there
        engine.allowed.release()
        await until(pilot, lambda: "cancelling: 2 of 4" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: "stopping …" in shown(app))
        engine.allowed.release()
        await until(pilot, lambda: toasts(app))
        assert "Stopped: 2 cancelled, 2 left as they were." in toasts(app)[0]
        await until(pilot, lambda: "cancelling:" not in shown(app))
    statuses = [run.status for run in engine.view.runs.values()]
    assert sorted(statuses) == sorted([S.CANCELLED, S.CANCELLED, S.QUEUED, S.QUEUED])


async def test_work_that_is_done_at_once_shows_no_line() -> None:
    engine = FakeEngine()
    for number in range(4):
        engine.add(f"w{number}", f"Task {number}")
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("A", "x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("x")
        await until(pilot, lambda: not engine.view.live)
        assert "esc stops" not in shown(app)
        assert all(run.status is S.CANCELLED for run in engine.view.runs.values())
