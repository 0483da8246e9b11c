"""Titles that distinguish the runs of a batch, even where a list has cut them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.domain.model import RunSpec
from engine.domain.text import one_line

USUAL, FIRST, LONGEST = 72, 60, 272
"""Characters of a title made from a prompt, of what differs before it, and of both together."""


def usual(step: str | None, prompt: str) -> str:
    """Return the title of a run without a title of its own."""
    return one_line(f"{step}: {prompt}" if step else prompt, USUAL)


class RunTitles:
    """Titles of the runs of a batch, whose `specs` are each made `copies` times.

    A unique title that the user set stays, followed by the number of the copy. Otherwise what
    differs stands first: `n=10 #3 · Fix the flaky test`.
    """

    def __init__(self, specs: Sequence[RunSpec], copies: int) -> None:
        self._often = Counter(spec.title for spec in specs)
        names = dict.fromkeys(name for spec in specs for name in spec.given if name != "step")
        self._differ = [name for name in names if len({spec.given.get(name) for spec in specs}) > 1]
        self._has_copies = copies > 1

    def of(self, spec: RunSpec, step: str | None, copy: int) -> str:
        """Return the title of a copy, counted from 1; `step` is the one of a flow that it is."""
        number = f"#{copy}" if self._has_copies else ""
        is_usual = spec.title == usual(step, spec.prompt)
        if not is_usual and self._often[spec.title] == 1:
            return f"{spec.title} {number}".rstrip()
        told = [name for name in self._differ if name != "prompt"]
        if not (told or is_usual):
            told = self._differ
        said = ", ".join(f"{name}={spec.given[name]}" for name in told if name in spec.given)
        first = " ".join(filter(None, (one_line(said, FIRST), number)))
        return one_line(f"{first} · {spec.title}" if first else spec.title, LONGEST)
