"""The mode of the next attempt, chosen in the dialogs that edit a prompt or resume a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from fake_engine import FakeEngine, app_on, choose, painted, shown
from textual.pilot import Pilot

from engine.domain.model import Status
from tui.screens.mode_option import CHANGES, ModeOption
from tui.screens.write import WriteDialog

S = Status
LIMIT_S = 60


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await pilot.pause(0.01)
    await painted(pilot)


def one_ended() -> FakeEngine:
    """One finished run with a thread."""
    engine = FakeEngine()
    engine.add("f1", "Task 1")
    engine.pass_through("f1", S.PREPARING, S.RUNNING)
    engine.view.runs["f1"].thread_id = "t1"
    engine.pass_through("f1", S.FAILED)
    return engine


@pytest.mark.parametrize("key", ["R", "e"])
@pytest.mark.parametrize(
    ("steps", "mode"), [(0, []), (1, [("exec", "f1")]), (2, [("interactive", "f1")])]
)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_mode_is_chosen_by_tab_and_an_arrow(
    key: str, steps: int, mode: list[tuple[str, str]], size: tuple[int, int]
) -> None:
    engine = one_ended()
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await choose(pilot, "f1")
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, WriteDialog))
        assert "[as before (exec)]" in shown(app)
        await pilot.press("x", "tab", *["right"] * steps, "ctrl+s")
        await until(pilot, lambda: app.screen is app.live_screen)
        assert [one for one in engine.asked if one[0] in ("exec", "interactive")] == mode
        assert engine.asked[0][0] == {"R": "resume", "e": "edit"}[key]


def test_every_change_has_its_words() -> None:
    assert [len(ModeOption(now, 0).words) for now in ("", "exec")] == [len(CHANGES)] * 2
