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
    "screen.inbox": "inbox",
}
"""The mode that each command shows, in the order of the tabs."""
OF_RUNS = frozenset({"changes", "file", "batch"})
"""Modes that show a part of the runs."""
LIT, DIM, CALLS = "bold $background on $accent", "$secondary", "bold $warning"


@record
class ScreenTab:
    """A tab: its command, its text, whether its screen is shown, and whether it needs the user."""

    action: str
    text: str
    is_lit: bool
    calls: bool = False
    is_brief: bool = False


def screen_tabs(
    mode: str, keymap: Mapping[str, str], room: int, asking: int = 0
) -> Sequence[ScreenTab]:
    """Return the tabs; where there is no room, the longest of other screens have only their key.

    `asking` runs have an open request: the tab of the inbox shows their number.
    """
    mode = "runs" if mode in OF_RUNS else mode
    brief = set[str]()
    while True:
        tabs = [
            _tab(one, shown == mode, keymap, one in brief, asking if shown == "inbox" else 0)
            for one, shown in MODES.items()
        ]
        long = [tab for tab in tabs if not (tab.is_lit or tab.is_brief)]
        if not long or sum(len(tab.text) for tab in tabs) <= room:
            return tabs
        cut = max(long, key=lambda tab: (not tab.calls, len(tab.text)))
        brief.add(tuple(MODES)[tabs.index(cut)])


def _tab(
    command_id: str, is_lit: bool, keymap: Mapping[str, str], is_brief: bool, asking: int
) -> ScreenTab:
    command = BY_ID[command_id]
    key = " ".join(keys_of(command, keymap)[:1])
    label = "" if is_brief and key and not is_lit else command.label.capitalize()
    name = f"{key} {label}".strip()
    if asking:
        name = f"{name}: {asking} need{'s' if asking == 1 else ''} you"
    return ScreenTab(command.action, f" {name} ", is_lit, bool(asking), is_brief)


def tab_parts(tabs: Sequence[ScreenTab]) -> list[Part]:
    """Return the tabs as parts of a line."""
    return [(tab.text, LIT if tab.is_lit else CALLS if tab.calls else DIM) for tab in tabs]


def tab_at(tabs: Sequence[ScreenTab], x: int) -> ScreenTab | None:
    """Return the tab at a cell of the line."""
    at = 0
    for tab in tabs:
        if at <= x < at + len(tab.text):
            return tab
        at += len(tab.text)
    return None
