"""The footer: the keys of what has the focus, on one line, without laying anything out again."""

from __future__ import annotations

from typing import cast

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.signal import Signal
from textual.widget import Widget

from tui.commands import BY_ID, key_name, place, rank
from tui.widgets.status.toast import app_of

GAP = 2
NARROW = 100
GREY = "$secondary 45%"
ALWAYS = ("escape", "question_mark", "?")
"""Keys that are never cut off: the way back, and the help."""

Entry = tuple[Binding, bool]
"""A key, and whether it can act now."""


class KeyBar(Widget):
    """As many keys as fit, the most useful first, those that cannot act now greyed.

    The keys of the screen come before those of the whole program. Where it is narrow, those that
    can act come first. The number of marks stands before them.
    """

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; padding: 0 1; text-wrap: nowrap; background: $surface; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[Entry] = []
        self._places: list[tuple[int, int, str]] = []
        self._marked = ""

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        changed = cast("Signal[Screen[None]]", self.screen.bindings_updated_signal)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
        changed.subscribe(self, self.follow)

    def show_marked(self, count: int) -> None:
        """Show how many rows are marked."""
        self._marked = f"{count:,} marked" if count else ""
        self.refresh()

    def follow(self, screen: Screen[None]) -> None:
        """Show the keys of a screen as they are now."""
        if not screen.is_active:
            return  # below a dialog, whose keys are its own
        found: dict[str, Entry] = {}
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.description:
                found.setdefault(binding.id or binding.action, (binding, active.enabled))
        keys = list(found.values())
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def _fitting(self) -> list[Entry]:
        """Return the most useful keys there is room for, those of the screen first."""
        room = self.size.width - (len(self._marked) + GAP if self._marked else 0)
        is_narrow = room < NARROW
        is_of_runs = any(_scope(binding) == "runs" for binding, _ in self._keys)

        def is_general(binding: Binding) -> bool:
            # A new run belongs to the screen of runs, and is general elsewhere.
            return _scope(binding) == "app" and not is_of_runs

        def usefulness(entry: Entry) -> tuple[bool, bool, bool, int]:
            binding, enabled = entry
            is_general_key = is_general(binding)
            return (
                binding.key not in ALWAYS,
                is_general_key,
                is_narrow and not enabled,
                rank(binding.id),
            )

        chosen: list[Entry] = []
        for entry in sorted(self._keys, key=usefulness):
            room -= _width(entry[0]) + GAP
            if room + GAP >= 0:
                chosen.append(entry)
        return sorted(chosen, key=lambda entry: (is_general(entry[0]), place(entry[0].id)))

    def render(self) -> Content:
        """Draw the keys that fit."""
        parts: list[Content] = []
        self._places = []
        at = 0
        if self._marked:
            parts.append(Content.assemble((self._marked, "bold $warning"), " " * GAP))
            at = len(self._marked) + GAP
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


def _scope(binding: Binding) -> str:
    command = BY_ID.get(binding.id or "")
    return command.scope if command else ""


def _width(binding: Binding) -> int:
    return len(key_name(binding.key)) + 1 + len(binding.description)
