"""Runs and events of a newer version in the dashboard: shown dimly, beside all others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_engine import NARROW, WIDE, S, app_on, choose, four_runs, listed, shown

from engine.domain.events import Raw
from engine.domain.model import Agent, Sandbox, Stage, Status, Workspace, WorkspaceKind
from tui import formatting


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_run_of_a_newer_version_is_shown_and_every_key_works(
    size: tuple[int, int],
) -> None:
    engine = four_runs()
    odd = engine.view.runs["c3"]
    spec = replace(odd.spec, agent=Agent.read("orchestra"), sandbox=Sandbox.read("bubble"))
    workspace = Workspace("/w", WorkspaceKind.read("container"))
    status, stage = Status.read("hibernating"), Stage.read("dreaming")
    engine.happen("c3", Raw({"type": "telepathy"}))
    seq = engine.view.runs["c3"].seq + 1
    engine.view.put(
        replace(odd, seq=seq, spec=spec, status=status, stage=stage, workspace=workspace)
    )
    app = app_on(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert sorted(listed(app)) == ["a1", "b2", "c3", "d4"]
        await choose(pilot, "c3")
        assert "hibernating" in shown(app)
        for key in ("b", "b", "b", "b", "s", "s", "S", "w", "w", "i", "escape", "x", "escape"):
            await pilot.press(key)
        for key in ("r", "escape", "e", "escape", "f", "l", "L", "escape", "G", "g"):
            await pilot.press(key)
            await pilot.pause()
        assert app.is_running
        assert [asked for asked in engine.asked if "c3" in asked[1]] == []


def test_unknown_values_look_dim_and_harmless() -> None:
    odd = Status.read("\x1b[31mred")
    assert (formatting.glyph(odd), formatting.tone(odd)) == ("?", "dim")
    assert "\x1b" not in formatting.word(odd)
    assert formatting.word(S.RUNNING) == "running"
