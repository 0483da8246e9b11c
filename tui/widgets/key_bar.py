"""The footer: the keys of what has the focus, on one line, without laying anything out again."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from tui.commands import key_name, rank

GAP = 2


class KeyBar(Widget):
    """Shows as many keys as fit, the most useful first, those that cannot act now greyed."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; padding: 0 1; background: $surface; color: $secondary; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[tuple[Binding, bool]] = []
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, screen: Screen[object]) -> None:
        found: dict[str, tuple[Binding, bool]] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.description:
                found.setdefault(binding.id or binding.action, (binding, active.enabled))
        keys = sorted(found.values(), key=lambda entry: rank(entry[0].id))
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def render(self) -> Content:
        """Draw the keys that fit."""
        parts: list[Content] = []
        self._places = []
        at = 0
        for binding, enabled in self._keys:
            key, label = key_name(binding.key), binding.description
            width = len(key) + 1 + len(label)
            if at + width > self.size.width:
                continue
            look = ("bold $accent", "$foreground 75%") if enabled else ("$secondary 45%",) * 2
            parts.append(
                Content.assemble((key, look[0]), " ", (label, look[1]), " " * GAP),
            )
            self._places.append((at, at + width, binding.key))
            at += width + GAP
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Do what a press of the key would do."""
        offset = event.get_content_offset(self)
        for start, end, key in self._places:
            if offset is not None and start <= offset.x < end:
                self.app.simulate_key(key)
