"""A fault of one action on the screen: told, and the dashboard goes on."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine, app_on, toasts, until
from support import becomes

from engine.domain.fault import Fault
from tui.app import SwarmApp
from tui.widgets.top_bar import TopBar


async def test_an_action_that_fails_inside_is_told_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_on(FakeEngine())

    async def broken() -> None:
        raise ValueError("broken for the test")

    async with app.run_test():
        monkeypatch.setattr(SwarmApp, "is_headless", False)
        app.run_worker(broken())
        await becomes(lambda: any("broken for the test" in it for it in toasts(app)))
        assert app.is_running
        monkeypatch.undo()
    assert "an action failed" in caplog.text


async def test_faults_have_a_line_of_their_own_below_the_counts() -> None:
    engine = FakeEngine()
    engine.faults = (Fault("watcher", "OSError: no", 3, 0.0), Fault("search", "no", 1, 0.0))
    app = app_on(engine)
    async with app.run_test() as pilot:
        bar = app.screen.query_one(TopBar)
        line = "FAULT watcher failed 3 times and is tried again: OSError: no (and 1 more)"
        await until(pilot, lambda: line in str(bar.render()))
        assert bar.size.height == 2
