"""Keys of the user's own: which can be used, and what is wrong with the rest.

Keys of what has the focus come before the same keys of the screen and the program.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, cast

from textual.binding import ActiveBinding, BindingsMap
from textual.dom import DOMNode
from textual.keys import KEY_ALIASES, Keys

from tui.commands import BY_ID, COMMANDS, NAMES, OTHER_SCREENS, keys_of

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

_MODIFIERS = ("ctrl", "alt", "shift", "super")
_SIGNS = (chr(code) for code in range(33, 127) if not chr(code).isalnum())
_KEYS = frozenset(
    (
        *(key.value for key in Keys if key.value.isidentifier()),
        *(alias for aliases in KEY_ALIASES.values() for alias in aliases if alias.isidentifier()),
        *(unicodedata.name(sign).lower().replace(" ", "_").replace("-", "_") for sign in _SIGNS),
        *("space", "slash", "backslash", "plus", "minus", "underscore"),
    )
)
"""Keys by Textual's names; a character is its own."""
_BINDINGS = {name: key for key, name in NAMES.items()} | {"del": "delete"}
"""Names of keys in help, and their names in bindings."""


def is_own_key(node: DOMNode, bindings: BindingsMap, key: str) -> bool:
    """Return whether `key` is a command of `node` that can act now: then it does nothing else."""
    own = bindings.key_to_bindings.get(key, ())  # Textual's own bindings have no id
    return any(binding.id and node.check_action(binding.action, ()) for binding in own)


def active_binding(screen: Screen[Any], key: str) -> ActiveBinding | None:
    """Return what a key does now, as `Screen.active_bindings` does: that asks every other key, too.

    A key waits for this: all keys of a screen take a few milliseconds.
    """
    found: ActiveBinding | None = None
    app = cast("App[Any]", screen.app)  # pyright: ignore[reportUnknownMemberType]  the library's type is partial
    for node, bindings in screen._modal_binding_chain:  # pyright: ignore[reportPrivateUsage]  Textual's own order of keys
        for binding in bindings.key_to_bindings.get(key, ()):
            if found and (found.binding.priority or not binding.priority):
                continue
            state = app._check_action_state(binding.action, node)  # pyright: ignore[reportPrivateUsage]  as Textual asks it
            if state is not False:
                found = ActiveBinding(node, binding, bool(state), binding.tooltip)
    return found


def checked_keymap(keys: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the valid part of `ui.keys`, and the problems of the rest."""
    usable: dict[str, str] = {}
    problems: list[str] = []
    for command_id, chosen in keys.items():
        command = BY_ID.get(command_id)
        if command is None:
            near = difflib.get_close_matches(command_id, BY_ID, n=1, cutoff=0.4)
            hint = f" Did you mean {near[0]}?" if near else ""
            problems.append(f"ui.keys: there is no command {command_id}.{hint}")
            continue
        wrong = [key for key in chosen.split(",") if not is_key(key.strip())]
        problems += [f"ui.keys: {command_id}: {_no_key(key.strip())}" for key in wrong]
        if not wrong:
            usable[command_id] = ",".join(map(_binding_key, chosen.split(",")))
    return usable, problems + list(_clashes(usable))


def _binding_key(name: str) -> str:
    """Return a key as bindings have it: `/` as `slash`."""
    return _BINDINGS.get(name.strip(), name.strip())


def is_key(name: str) -> bool:
    """Return whether a terminal could send this key: a character, or a name after its modifiers."""
    key = _binding_key(name)
    *before, last = key.split("+")
    if any(modifier not in _MODIFIERS for modifier in before):
        return False
    return (len(last) == 1 and last.isprintable() and last != " ") or last in _KEYS


def _no_key(name: str) -> str:
    """Return the error for an unknown key, with the nearest one."""
    if not name:
        return "missing key."
    *before, last = name.lower().split("+")
    meant = [*(_nearest(part, _MODIFIERS) for part in before), _nearest(last, _KEYS)]
    hint = "" if None in meant else f" Did you mean {'+'.join(part for part in meant if part)}?"
    return f"there is no key {name}.{hint}"


def _nearest(name: str, names: Iterable[str]) -> str | None:
    if len(name) == 1 and name.isprintable():
        return name
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.5)), None)


def _clashes(keymap: Mapping[str, str]) -> Iterator[str]:
    for command, other in combinations(COMMANDS, 2) if keymap else ():
        if not {other.id, command.id} & keymap.keys() or not _meet(command.scope, other.scope):
            continue
        for key in sorted({*keys_of(command, keymap)} & {*keys_of(other, keymap)}):
            yield f"ui.keys: {key} means both {command.id} and {other.id}."


def _meet(one: str, other: str) -> bool:
    """Return whether keys of both scopes can be pressed at the same place."""
    scopes = {one, other}
    if len(scopes) == 1:
        return True
    if "form" in scopes:  # it keeps everybody else's keys out
        return False
    if "app" in scopes:
        return True
    if "runs" in scopes:
        return not scopes & OTHER_SCREENS
    return scopes in ({"code", "changes"}, {"disk", "disktree"})
