"""The footer: the keys of what has the focus, on one line, without laying anything out again."""

from __future__ import annotations

from typing import cast

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.signal import Signal
from textual.widget import Widget

from tui.commands import key_name, place, rank
from tui.widgets.status.toast import app_of

GAP = 2
NARROW = 100
GREY = "$secondary 45%"


class KeyBar(Widget):
    """Shows as many keys as fit, the most useful first, those that cannot act now greyed.

    Where it is narrow, those that can act come first.
    """

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; padding: 0 1; text-wrap: nowrap; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[Binding, bool]] = []
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        changed = cast("Signal[Screen[None]]", self.screen.bindings_updated_signal)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        changed.subscribe(self, self._follow)

    def _follow(self, screen: Screen[None]) -> None:
        if not screen.is_active:
            return  # below a dialog, whose keys are its own
        found: dict[str, tuple[Binding, bool]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.description:
                found.setdefault(binding.id or binding.action, (binding, active.enabled))
        keys = list(found.values())
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def _fitting(self) -> list[tuple[Binding, bool]]:
        """Give the most useful keys there is room for, in the table's order."""
        room = self.size.width
        is_narrow = room < NARROW

        def usefulness(entry: tuple[Binding, bool]) -> tuple[bool, int]:
            binding, enabled = entry
            return is_narrow and not enabled, rank(binding.id)

        chosen: list[tuple[Binding, bool]] = []
        for entry in sorted(self._keys, key=usefulness):
            room -= _width(entry[0]) + GAP
            if room + GAP >= 0:
                chosen.append(entry)
        return sorted(chosen, key=lambda entry: place(entry[0].id))

    def render(self) -> Content:
        """Draw the keys that fit."""
        parts: list[Content] = []
        self._places = []
        at = 0
        for binding, enabled in self._fitting():
            key, label = key_name(binding.key), binding.description
            strong, plain = ("bold $accent", "$foreground 75%") if enabled else (GREY, GREY)
            parts.append(Content.assemble((key, strong), " ", (label, plain), " " * GAP))
            self._places.append((at, at + _width(binding), binding.key))
            at += _width(binding) + GAP
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Do what a press of the key would do."""
        offset = event.get_content_offset(self)
        for start, end, key in self._places:
            if offset is not None and start <= offset.x < end:
                app_of(self).simulate_key(key)


def _width(binding: Binding) -> int:
    return len(key_name(binding.key)) + 1 + len(binding.description)
