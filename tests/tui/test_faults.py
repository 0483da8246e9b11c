"""Faults of tasks in the lines at the top."""

from __future__ import annotations

from fake_engine import FakeEngine, app_on, until

from engine.domain.fault import Fault
from tui.widgets.top_bar import TopBar


async def test_faults_have_a_line_of_their_own_below_the_counts() -> None:
    engine = FakeEngine()
    engine.faults = (Fault("watcher", "OSError: no", 3, 0.0), Fault("search", "no", 1, 0.0))
    app = app_on(engine)
    async with app.run_test() as pilot:
        bar = app.screen.query_one(TopBar)
        line = "FAULT watcher failed 3 times and is tried again: OSError: no (and 1 more)"
        await until(pilot, lambda: line in str(bar.render()))
        assert bar.size.height == 2
