"""The tabs of the top bar: readable names at every usual width."""

from __future__ import annotations

import pytest
from fake_engine import FakeEngine, app_on, painted, shown

from engine.config.settings import UiSettings
from tui.cli.support.guided_tour import GuidedTour
from tui.commands import BY_ID
from tui.widgets.status.screen_tabs import MODES, screen_tabs
from tui.widgets.status.top_bar import BRIEF_ROOM, SLOTS_ROOM

SMALL = 78
"""Cells of the top bar in a terminal of 80 columns."""


@pytest.mark.parametrize("mode", MODES.values())
@pytest.mark.parametrize("asking", [0, 1, 20, 999])
def test_every_screen_has_a_name_in_80_columns(mode: str, asking: int) -> None:
    tabs = screen_tabs(mode, {}, SMALL - SLOTS_ROOM, asking, most=SMALL - BRIEF_ROOM)
    assert sum(len(tab.text) for tab in tabs) <= SMALL - BRIEF_ROOM
    for tab, command in zip(tabs, MODES, strict=True):
        name = tab.text.split(":")[0].split()[1]
        assert BY_ID[command].label.startswith(name.lower().removesuffix("y"))
        assert len(name) > 3
    assert [MODES[name] for name, tab in zip(MODES, tabs, strict=True) if tab.is_lit] == [mode]
    assert not asking or f"7 Inbox: {asking}" in tabs[-2].text


def test_names_are_whole_where_there_is_room() -> None:
    texts = [tab.text.strip() for tab in screen_tabs("runs", {}, 110, 2)]
    assert texts[2:5] == ["3 Templates", "4 Patterns", "5 Notifications"]
    assert texts[-2] == "7 Inbox: 2 need you"


def test_a_tab_keeps_its_key_where_there_is_hardly_any_room() -> None:
    tabs = screen_tabs("disk", {}, 25)
    assert [tab.text.strip() for tab in tabs] == ["1", "2 Disk", "3", "4", "5", "6", "7", "8"]


async def test_hints_of_an_empty_home_name_the_users_own_keys() -> None:
    app = app_on(FakeEngine(UiSettings(keys={"run.new": "a"})))
    async with app.run_test(size=(80, 24)) as pilot:
        await painted(pilot)
        assert "  a  Start a new run" in shown(app)


async def test_the_tour_names_the_users_own_keys() -> None:
    keys = {"inbox.approve": "f9", "move.up": "f7", "move.down": "f8"}
    app = app_on(FakeEngine(UiSettings(keys=keys)))
    tour = GuidedTour(app)
    assert tour.hint.endswith("f7 and f8 choose another one")
    assert any("f9 approves it" in step.words for step in tour._steps)  # pyright: ignore[reportPrivateUsage]  the later hints
