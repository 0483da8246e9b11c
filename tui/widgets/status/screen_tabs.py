"""The tabs of the top bar: the numbered screens, of which the shown one is lit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.domain.record import record
from tui.commands import BY_ID, keys_of

Part = tuple[str, str]
MODES = {
    "screen.runs": "runs",
    "screen.disk": "disk",
    "screen.templates": "templates",
    "screen.patterns": "patterns",
    "screen.told": "notifications",
    "screen.doctor": "doctor",
}
"""The mode that each command shows, in the order of the tabs."""
OF_RUNS = frozenset({"changes", "file", "batch"})
"""Modes that show a part of the runs."""
LIT, DIM = "bold $background on $accent", "$secondary"


@record
class ScreenTab:
    """A tab: its command, its text, and whether its screen is shown."""

    action: str
    text: str
    is_lit: bool


def screen_tabs(mode: str, keymap: Mapping[str, str], room: int) -> Sequence[ScreenTab]:
    """Return the tabs; where there is no room, those of other screens have only their key."""
    mode = "runs" if mode in OF_RUNS else mode
    for is_brief in (False, True):
        tabs = [_tab(one, shown == mode, keymap, is_brief) for one, shown in MODES.items()]
        if sum(len(tab.text) for tab in tabs) <= room:
            break
    return tabs


def _tab(command_id: str, is_lit: bool, keymap: Mapping[str, str], is_brief: bool) -> ScreenTab:
    command = BY_ID[command_id]
    key = " ".join(keys_of(command, keymap)[:1])
    label = "" if is_brief and key and not is_lit else command.label.capitalize()
    return ScreenTab(command.action, f" {f'{key} {label}'.strip()} ", is_lit)


def tab_parts(tabs: Sequence[ScreenTab]) -> list[Part]:
    """Return the tabs as parts of a line."""
    return [(tab.text, LIT if tab.is_lit else DIM) for tab in tabs]


def tab_at(tabs: Sequence[ScreenTab], x: int) -> ScreenTab | None:
    """Return the tab at a cell of the line."""
    at = 0
    for tab in tabs:
        if at <= x < at + len(tab.text):
            return tab
        at += len(tab.text)
    return None
