"""Rows of the run list in 80 columns: what a cut title keeps, and the mark of a review."""

from __future__ import annotations

from fake_engine import NARROW, FakeEngine, S, app_on, painted, shown

from engine.domain.events import ChangesMeasured, StatusChanged
from tui.app import SwarmApp
from tui.formatting import fit_title

TASK = "Rewrite the whole scheduler so that it never waits for a slow disk again"


def rows(app: SwarmApp, word: str) -> list[str]:
    return [line for line in shown(app).splitlines() if word in line]


async def test_the_number_of_a_copy_stays_where_its_title_is_cut() -> None:
    engine = FakeEngine()
    for number in (1, 2):
        engine.add(f"a{number}", f"{TASK} #{number}")
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await painted(pilot)
        found = rows(app, "Rewrite")
        assert [("… #1" in row, "… #2" in row) for row in found] == [(True, False), (False, True)]


def test_a_title_fills_its_place_exactly() -> None:
    for text in (f"{TASK} #12", TASK, "short #2", "#2", f"{TASK} #123456"):
        for width in range(1, 90):
            assert len(fit_title(text, width)) == width
    assert fit_title(f"{TASK} #12", 20).endswith("… #12")
    assert fit_title(f"{TASK} #12", 6) == "Rewri…"


async def test_a_run_that_waits_for_a_review_is_marked() -> None:
    engine = FakeEngine()
    for run_id in ("a1", "b2"):
        engine.add(run_id, f"Task {run_id}")
        engine.pass_through(run_id, S.PREPARING, S.RUNNING)
    engine.happen("a1", ChangesMeasured(1, 2, 3), StatusChanged(S.SUCCEEDED))
    engine.pass_through("b2", S.SUCCEEDED)
    app = app_on(engine)
    async with app.run_test(size=NARROW) as pilot:
        await painted(pilot)
        assert "±" in rows(app, "Task a1")[0]
        assert "±" not in rows(app, "Task b2")[0]
