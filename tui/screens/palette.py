"""Every command by its name: type a few letters, press enter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.widgets.option_list import Option

from tui.commands import Command, keys_of
from tui.screens.search import Search

HELP_WIDTH = 36
ID_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as the palette offers it."""

    command: Command
    enabled: bool


class Palette(Search[Command]):
    """Answers with the command chosen, or None."""

    PLACEHOLDER = "Command"

    def __init__(self, entries: Iterable[Entry], keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._entries = {entry.command.id: entry for entry in entries}
        self._keymap = keymap

    def entries(self) -> Sequence[tuple[str, str]]:
        """Give all commands, found by help and id."""
        return [(id, f"{entry.command.help} {id}") for id, entry in self._entries.items()]

    def answer(self, id: str) -> Command:
        """Give the command."""
        return self._entries[id].command

    def option(self, id: str) -> Option:
        """Draw a command with its keys, greyed where it cannot act now."""
        entry = self._entries[id]
        keys = " ".join(keys_of(entry.command, self._keymap))
        look = "$foreground" if entry.enabled else "$secondary 45%"
        prompt = Content.assemble(
            (entry.command.help.ljust(HELP_WIDTH), look),
            (id.ljust(ID_WIDTH), "$faint"),
            (keys, "$accent" if entry.enabled else "$secondary 45%"),
        )
        return Option(prompt, id=id, disabled=not entry.enabled)
