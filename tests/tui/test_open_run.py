"""The key `o` on a run: the editor, a shell, or its thread in Codex."""

from __future__ import annotations

from fake_engine import app_on, choose, four_runs, painted, toasts

from engine.domain.events import Progressed
from engine.domain.model import Stage
from tui.screens.confirm import ConfirmDialog


async def test_a_run_can_be_opened_in_codex() -> None:
    engine = four_runs()
    engine.happen(
        "a1", Progressed(Stage.WORKSPACE_PREP, "ready", 20, {"path": "/w", "kind": "copy"})
    )
    app = app_on(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await choose(pilot, "a1")
        await pilot.press("o")
        await painted(pilot)
        assert isinstance(app.screen, ConfirmDialog)
        await pilot.press("c")
        await painted(pilot)
        assert any("no longer knows this thread" in text for text in toasts(app))
        await pilot.press("o")
        await painted(pilot)
        await pilot.press("escape")
        await painted(pilot)
        assert not isinstance(app.screen, ConfirmDialog)
