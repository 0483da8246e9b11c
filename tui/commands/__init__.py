"""The table of commands: bindings, footer, palette, help and the reference of keys use it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from textual.binding import Binding, BindingType

from tui.commands.command import Command
from tui.commands.of_runs import OF_RUNS
from tui.commands.of_screens import OF_SCREENS

__all__ = [
    "BY_ID",
    "COMMANDS",
    "GROUPS",
    "NAMES",
    "OTHER_SCREENS",
    "Command",
    "bindings",
    "first_key",
    "hints",
    "key_name",
    "keys_of",
    "place",
    "rank",
]

GROUPS: dict[str, tuple[Command, ...]] = {**OF_RUNS, **OF_SCREENS}
COMMANDS: tuple[Command, ...] = tuple(chain.from_iterable(GROUPS.values()))
BY_ID: dict[str, Command] = {command.id: command for command in COMMANDS}

_PLACES = {command.id: place for place, command in enumerate(COMMANDS)}
NAMES = {
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "exclamation_mark": "!",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "escape": "esc",
    "ctrl+backslash": "ctrl+\\",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "vertical_line": "|",
    "equals_sign": "=",
    "number_sign": "#",
    "ampersand": "&",
    "percent_sign": "%",
    "semicolon": ";",
    "f5": "F5",
    "full_stop": ".",
    "comma": ",",
    "plus": "+",
    "minus": "-",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "f1": "F1",
}


OTHER_SCREENS = frozenset(
    {
        "batch",
        "doctor",
        "notify",
        "templates",
        "code",
        "changes",
        "compare",
        "disk",
        "disktree",
        "find",
        "inbox",
        "nodes",
        "patterns",
        "rundiff",
        "usage",
    }
)
"""Scopes of screens on which there are no runs to choose from."""


def bindings(scope: str) -> list[BindingType]:
    """Return the bindings of everything that `scope` carries out.

    They have priority: those without are carried out only after keys typed meanwhile were handed
    to whatever had the focus before, so that `/fix` in one burst would filter nothing, and press x.
    """
    return [
        Binding(
            command.keys,
            command.action,
            command.label,
            show=bool(command.footer),
            tooltip=command.help,
            priority=True,
            id=command.id,
        )
        for command in COMMANDS
        if command.scope == scope and command.keys
    ]


def rank(command_id: str | None) -> int:
    """Return the rank of a command in the footer; unknown ones come last."""
    command = BY_ID.get(command_id or "")
    return command.footer if command and command.footer else 1000


def place(command_id: str | None) -> int:
    """Return the place of a command in the table; unknown ones come first."""
    return _PLACES.get(command_id or "", -1)


def key_name(key: str) -> str:
    """Write a key as people read it: `slash` as `/`, `escape` as `esc`."""
    return NAMES.get(key, key)


def keys_of(command: Command, keymap: Mapping[str, str]) -> list[str]:
    """Return the keys of a command as people read them, the user's own where there are any."""
    keys = keymap.get(command.id, command.keys)
    return [key_name(key.strip()) for key in keys.split(",") if key.strip()]


def first_key(command_id: str, keymap: Mapping[str, str]) -> str:
    """Return the key of a command for a hint, the user's own where there is one; may be empty."""
    return " ".join(keys_of(BY_ID[command_id], keymap)[:1])


def hints(scope: str, keymap: Mapping[str, str]) -> str:
    """Write the keys of a dialog for its frame: `^s start  esc back`."""
    found = ((keys_of(each, keymap), each) for each in COMMANDS if each.scope == scope)
    parts = [f"{keys[0].replace('ctrl+', '^')} {each.label}" for keys, each in found if keys]
    return "  ".join([*parts, "esc back"])
