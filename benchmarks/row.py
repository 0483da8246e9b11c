"""A row of the table: what is measured, against what, and how good is good enough."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

FAR = 2.0
"""Factor above the target that is a failure, on any machine."""


class Relation(StrEnum):
    """Ways in which the two figures of a round become the one that is judged."""

    RATIO = "ratio"
    """Ours divided by the yardstick's."""
    MORE = "more"
    """The difference by which ours is more, in the row's unit."""
    ALONE = "alone"
    """Ours alone: there is no yardstick."""


class Unavailable(Exception):
    """A thing that a row needs is not here; the message names it."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Surroundings of a row: a folder for all it makes, and how much of it there may be."""

    scratch: Path
    quick: bool
    made: dict[str, object] = field(default_factory=dict[str, object])

    def size(self, full: T, quick: T) -> T:
        """Return a size for this run: the whole one, or the one for a quick look."""
        return quick if self.quick else full

    def folder(self) -> Path:
        """Return a new folder."""
        return Path(tempfile.mkdtemp(dir=self.scratch))

    def shared(self, name: str, make: Callable[[Path], T]) -> T:
        """Return the result of `make` in its own folder: once for all rows with this `name`."""
        if name not in self.made:
            self.made[name] = make(self.folder())
        return self.made[name]  # type: ignore[return-value]  what this name stands for is one thing


Round = Callable[[], tuple[float, float]]
"""One round: our figure and the yardstick's, measured one right after the other."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `rounds` opens what it needs and gives the round that is then measured a few times.

    `target` and `aim` are about what the relation gives: at most so much, or where higher is
    `better`, at least. `note` is printed below the table: why a target is missed, for instance.
    """

    name: str
    """Dotted, stable: results of other days are found by it."""
    what: str
    yardstick: str
    target: float
    aim: float
    rounds: Callable[[Bench], AbstractContextManager[Round]]
    unit: str = "s"
    better: str = "lower"
    relation: Relation = Relation.RATIO
    times: int = 5
    """Rounds of a full run."""
    quick_times: int = 2
    """Rounds of a quick one."""
    quick: bool = True
    """True if it is short enough for the quick run."""
    note: str = ""
    quick_what: str = ""
    """The part that is measured in a quick run, where that is less."""

    def meets(self, value: float, wanted: float) -> bool:
        """Return whether a value is as good as wanted."""
        return value >= wanted if self.better == "higher" else value <= wanted

    def is_far_off(self, value: float) -> bool:
        """Return whether a value is so bad that it is no matter of the machine."""
        far = self.target / FAR if self.better == "higher" else self.target * FAR
        return not self.meets(value, far)


def alternating(ours: Callable[[], float], yardstick: Callable[[], float]) -> Round:
    """Return a round of two measurements in turn, each time beginning with the other."""
    turn = 0

    def round_() -> tuple[float, float]:
        nonlocal turn
        turn += 1
        if turn % 2:
            return ours(), yardstick()
        second = yardstick()
        return ours(), second

    return round_
