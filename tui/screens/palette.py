"""Every command by its name: type a few letters, press enter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.fuzzy import Matcher
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.commands import Command, keys_of
from tui.screens.dialog import Dialog

HELP_WIDTH = 36
ID_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as the palette offers it."""

    command: Command
    enabled: bool


class Palette(Dialog[Command]):
    """Answers with the command chosen, or None."""

    DEFAULT_CSS = """
    Palette {
        align: center top;
        .box { margin-top: 2; padding: 0; border: round $accent; }
        Input { border: none; height: 1; margin: 0 1; padding: 0 1; background: $surface; }
        OptionList {
            height: auto; max-height: 18; border: none; padding: 0; margin-top: 1;
            background: $surface; scrollbar-size-vertical: 1;
            & > .option-list--option { padding: 0 2; }
        }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move(1)", show=False),
        Binding("up,ctrl+p", "move(-1)", show=False),
    ]

    def __init__(self, entries: Iterable[Entry], keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._entries = {entry.command.id: entry for entry in entries}
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        """Lay the palette out."""
        with Vertical(classes="box"):
            yield Input(placeholder="Command", compact=True)
            choices = OptionList(*self._matching(""), markup=False)
            choices.can_focus = False
            yield choices

    def on_mount(self) -> None:
        """Begin with the first command."""
        self.query_one(OptionList).action_first()

    @on(Input.Changed)
    def _search(self, event: Input.Changed) -> None:
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options(self._matching(event.value.strip()))
        choices.action_first()

    @on(Input.Submitted)
    def _choose_highlighted(self) -> None:
        self.query_one(OptionList).action_select()

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._entries[event.option.id or ""].command)

    def action_move(self, by: int) -> None:
        """Go to the next command, or the one before."""
        choices = self.query_one(OptionList)
        if by > 0:
            choices.action_cursor_down()
        else:
            choices.action_cursor_up()

    def _matching(self, typed: str) -> list[Option]:
        entries = list(self._entries.values())
        if typed:
            matcher = Matcher(typed)
            scored = [
                (matcher.match(f"{entry.command.help} {entry.command.id}"), entry)
                for entry in entries
            ]
            found = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])
            entries = [entry for _, entry in found]
        return [self._option(entry) for entry in entries]

    def _option(self, entry: Entry) -> Option:
        command = entry.command
        keys = " ".join(keys_of(command, self._keymap))
        look = "$foreground" if entry.enabled else "$secondary 45%"
        prompt = Content.assemble(
            (command.help.ljust(HELP_WIDTH), look),
            (command.id.ljust(ID_WIDTH), "$secondary 60%"),
            (keys, "$accent" if entry.enabled else "$secondary 45%"),
        )
        return Option(prompt, id=command.id, disabled=not entry.enabled)
