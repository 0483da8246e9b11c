"""The tabs of the top bar: the numbered screens, of which the shown one is lit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import IntEnum

from engine.domain.record import record
from tui.commands import BY_ID, first_key

Part = tuple[str, str]
MODES = {
    "screen.runs": "runs",
    "screen.disk": "disk",
    "screen.templates": "templates",
    "screen.patterns": "patterns",
    "screen.told": "notifications",
    "screen.doctor": "doctor",
    "screen.inbox": "inbox",
    "screen.usage": "usage",
}
"""The mode that each command shows, in the order of the tabs."""
OF_CLUSTER = {"screen.nodes": "nodes"}
"""The mode of a tab that is shown only where a cluster is set."""
OF_RUNS = frozenset({"changes", "file", "batch"})
"""Modes that show a part of the runs."""
LIT, DIM, CALLS = "bold $background on $accent", "$secondary", "bold $warning"


class TabSize(IntEnum):
    """Amounts of a tab that are shown."""

    KEY = 0
    BRIEF = 1
    SHORT = 2
    FULL = 3


NAMES = {
    TabSize.SHORT: {"templates": "Template", "patterns": "Pattern", "notifications": "Notify"},
    TabSize.BRIEF: {"templates": "Templ", "patterns": "Patt", "notifications": "Notify"},
}
"""Names of screens where there is little room: together they fit into 80 columns."""


@record
class ScreenTab:
    """A tab: its command, its text, whether its screen is shown, and whether it needs the user."""

    action: str
    text: str
    is_lit: bool
    calls: bool = False


def screen_tabs(
    mode: str,
    keymap: Mapping[str, str],
    room: int,
    asking: int = 0,
    *,
    most: int = 0,
    has_cluster: bool = False,
) -> Sequence[ScreenTab]:
    """Return the tabs in `room` cells: with their names, else with short names.

    Where even those need more than `most` cells, the tabs share the spaces between them. Then
    the longest of other screens are cut further, at last to their key. `asking` runs have an open
    request: the tab of the inbox shows their number.
    """
    mode = "runs" if mode in OF_RUNS else mode
    modes = {**MODES, **OF_CLUSTER} if has_cluster or mode in OF_CLUSTER.values() else MODES
    sizes = dict.fromkeys(modes, TabSize.FULL)

    def tab_of(one: str) -> ScreenTab:
        shown = modes[one]
        return _tab(one, shown == mode, keymap, sizes[one], asking if shown == "inbox" else 0)

    tabs = {one: tab_of(one) for one in modes}
    while True:
        width = sum(len(tab.text) for tab in tabs.values())
        full = [one for one, size in sizes.items() if size is TabSize.FULL]
        if width <= room or (not full and width <= max(most, room)):
            return list(tabs.values())
        closer = [] if full else _close_up(list(tabs.values()))
        if closer and sum(len(tab.text) for tab in closer) <= max(most, room):
            return closer
        cut = full or [one for one in tabs if sizes[one] and not tabs[one].is_lit]
        if not cut:
            return closer
        longest = max(cut, key=lambda one: (not tabs[one].calls, len(tabs[one].text)))
        sizes[longest] = TabSize(sizes[longest] - 1)
        tabs[longest] = tab_of(longest)


def _close_up(tabs: Sequence[ScreenTab]) -> list[ScreenTab]:
    """Return the tabs with one space between two of them, which belongs to the lit one."""
    closer: list[ScreenTab] = []
    for place, tab in enumerate(tabs):
        before = " " if tab.is_lit or not place else ""
        after = "" if tabs[place + 1 : place + 2] and tabs[place + 1].is_lit else " "
        closer.append(replace(tab, text=f"{before}{tab.text.strip()}{after}"))
    return closer


def _tab(
    command_id: str, is_lit: bool, keymap: Mapping[str, str], size: TabSize, asking: int
) -> ScreenTab:
    command = BY_ID[command_id]
    key = first_key(command_id, keymap)
    label = command.label.capitalize()
    label = NAMES.get(size, {}).get(command.label, label)
    if size is TabSize.KEY and key:
        label = ""
    name = f"{key} {label}".strip()
    if asking:
        name += f": {asking}"
        name += f" need{'s' if asking == 1 else ''} you" if size is TabSize.FULL else ""
    return ScreenTab(command.action, f" {name} ", is_lit, bool(asking))


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
