"""Runs that runs start: their parents and children in words."""

from __future__ import annotations

from collections.abc import Sequence

from engine.domain.lifecycle import LIVE
from engine.domain.model import Run
from tui.formatting.runs import branch, title, word
from tui.models.run_tree import run_tree
from tui.terminal.cells import clean, crop

LISTED = 20
"""Runs below a run that are named."""
TITLE = 60
"""Columns for a title."""


def parent_words(run: Run, parent: Run | None) -> str:
    """Return the parent of a run with its title, if that is known; empty without a parent."""
    if parent is None:
        return clean(run.spec.parent or "")
    return clean(f"{parent.id} · {crop(title(parent), TITLE)}")


def below_words(below: Sequence[Run]) -> str:
    """Return the number of runs below another one, and of those that go on."""
    live = sum(one.status in LIVE for one in below)
    count = f"{len(below)} run{'' if len(below) == 1 else 's'}"
    return f"{count}, {live} not ended" if live else count


def child_lines(below: Sequence[Run]) -> list[tuple[Run, str]]:
    """Return the first runs below another one, each with its line."""
    return [
        (one, clean(f"{branch(depth)}{one.id} {word(one.status)} · {crop(title(one), TITLE)}"))
        for one, depth in run_tree(below)[:LISTED]
    ]


def family_facts(run: Run, parent: Run | None, below: Sequence[Run]) -> list[tuple[str, str]]:
    """Return the parent of a run and the runs below it, a fact each; `parent` if it is known."""
    found = [("parent", parent_words(run, parent))]
    if below:
        lines = [below_words(below), *(line for _, line in child_lines(below))]
        if len(below) > LISTED:
            lines.append(f"… and {len(below) - LISTED} more")
        found.append(("children", "\n".join(lines)))
    return [one for one in found if one[1]]


def children_go_on(below: Sequence[Run]) -> str:
    """Return that the runs below a cancelled run go on, as a sentence."""
    if len(below) == 1:
        return "1 run that it started goes on."
    return f"{len(below)} runs that it started go on."
