"""One key, one meaning: the keys of all screens, lists and dialogs in one table."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from textual.binding import Binding
from textual.dom import DOMNode
from textual.widget import Widget

import tui.screens
import tui.widgets
from tui.commands import COMMANDS, GROUPS, key_name
from tui.screens.dialog import Dialog

IN_A_SEARCH = {"n": {"new", "next match"}, "N": {"batch", "previous match"}}
"""Keys with a second meaning, that of `less`, while a search of the log is on."""
IN_THE_INBOX = {
    "y": {"copy", "approve"},
    "n": {"deny"},
    "N": {"deny, reply"},
}
"""Keys with a second meaning in the inbox, where they mean what they mean in every question that a
terminal asks: yes and no. They are free there: nothing is copied or started on that screen, so
that no key of the inbox has two meanings, and those of the program wait outside."""
IN_A_FORM = {"ctrl+g": {"push", "template"}}
"""A key of the form, which no screen of runs can get meanwhile."""
OF_A_BATCH = {"A": {"mark all", "apply best"}}
"""Keys with a second meaning on the screen of a batch, where nothing is marked."""
OF_COMMENTS = {"c": {"review", "comment"}, "C": {"causes", "comments"}}
"""Keys with a second meaning in the changes of a run, where they are about its comments."""
IN_A_REVIEW = {
    "n": {"next"},
    "p": {"pause", "previous"},
    "x": {"stop", "reject"},
    "d": {"delete", "dismiss"},
    "A": {"mark all", "apply as"},
    "L": {"all runs", "turn"},
    "i": {"details", "message"},
    "O": {"make", "tree"},
}
"""Keys with a second meaning while one run after the other is reviewed: there is no list to mark,
nothing to stop and nothing to start. What they decide is undone with `u`, or asks first."""
OF_COPIES = {"E": {"export", "fork"}}
"""Keys with a second meaning on screens without a chosen run: both make a copy of what is there."""
IN_A_COMPARISON = {"d": {"delete", "diff of two"}}
"""Keys with a second meaning in the comparison of runs, where nothing can be deleted."""
DEEDS = {
    "apply": "start",
    "resolve": "resume",
    "send": "start",
    "page": "page",
    "copy": "copy",
    "restore": "undo",
    "refresh": "refresh",
    "next_field": "pane",
    "app.focus_next": "pane",
    "app.focus_previous": "pane before",
    "stop_waiting": "quit",
    "leave_program": "quit",
    "ask": "open",
    "search": "search",
    "select": "mark",
    "go": "open",
    "edit": "edit",
    "remove": "delete",
}
"""The meanings of actions of dialogs, which are not in the table of commands."""
DIRECTIONS = ("scroll", "move", "step", "aside")
CLOSES = "leave"
"""Closes the dialog, as does the key that opened it."""


def meanings() -> dict[str, set[str]]:
    """Return the meanings of each key on all screens."""
    found: dict[str, set[str]] = defaultdict(set)
    for command in COMMANDS:
        for key in filter(None, command.keys.split(",")):
            found[key.strip()].add(command.meaning)
    return found


def of_dialogs() -> Iterator[tuple[str, str, str]]:
    """Return class, key and action of all keys outside the table of commands."""
    for package in (tui.screens, tui.widgets):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for each in {*_below(Dialog), *_below(Widget)}:
        if each.__module__.startswith("tui."):
            for binding in vars(each).get("BINDINGS", ()):
                if isinstance(binding, Binding) and not binding.id:
                    for key in binding.key.split(","):
                        yield each.__name__, key, binding.action


def _below(base: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for each in base.__subclasses__():
        yield each
        yield from _below(each)


def test_a_key_has_one_meaning_on_all_screens() -> None:
    several = {key: words for key, words in meanings().items() if len(words) > 1}
    allowed: dict[str, set[str]] = defaultdict(set)
    seconds = (
        IN_A_SEARCH,
        IN_A_FORM,
        IN_THE_INBOX,
        OF_A_BATCH,
        OF_COMMENTS,
        OF_COPIES,
        IN_A_REVIEW,
        IN_A_COMPARISON,
    )
    for second in seconds:
        for key, words in second.items():
            allowed[key] |= words
    assert several == allowed


def test_answers_of_the_inbox_are_bound_on_no_other_screen() -> None:
    answers = [command for command in COMMANDS if command.meaning in ("approve", "deny")]
    assert {command.scope for command in answers} == {"inbox"}
    assert [command.keys for command in answers] == ["y", "n"]


def test_a_applies_and_d_deletes_wherever_they_can() -> None:
    assert meanings()["a"] == {"apply"}
    assert meanings()["d"] == {"delete", "dismiss", "diff of two"}
    assert meanings()["x"] == {"stop", "reject"}
    assert meanings()["u"] == {"undo"}


def test_d_deletes_only_after_a_question() -> None:
    """`D` opens the review: a slip must not delete what the user wanted to read."""
    deletes = [each for each in COMMANDS if each.keys == "d" and each.meaning == "delete"]
    assert [each.id for each in deletes if "(asks)" not in each.help] == []


def test_shift_never_turns_a_key_into_its_opposite() -> None:
    """Between `d` and `D`, a slip must not delete what the user wanted to read."""
    deletes = {"delete", "rebuildable", "empty trash", "kill"}
    for one, other in combinations(meanings(), 2):
        if one.lower() == other.lower() and one != other:
            words = meanings()[one] | meanings()[other]
            assert not (words & deletes and words & {"changes", "undo", "apply", "open"}), one


def test_dialogs_use_keys_as_the_screens_do() -> None:
    table = meanings()
    wrong = [
        (name, key, action)
        for name, key, action in of_dialogs()
        if action != CLOSES and action.partition("(")[0] not in DIRECTIONS
        if key in table
        and action.partition("(")[0] not in ("page", "scroll_runs")
        and DEEDS[action] not in table[key]
        if key not in ("enter", "space")  # they act on what has the focus
    ]
    assert wrong == []


def test_directions_in_dialogs_have_the_keys_of_lists() -> None:
    keys = {key for _, key, action in of_dialogs() if action.partition("(")[0] in DIRECTIONS}
    assert keys <= {"j", "k", "up", "down", "left", "right", "space"}


def test_every_key_that_the_footer_shows_says_what_it_does_in_a_word_or_two() -> None:
    labels = [command.label for group in GROUPS.values() for command in group if command.footer]
    assert [label for label in labels if len(label) > 14] == []
    assert all(key_name(key) for key in meanings())
