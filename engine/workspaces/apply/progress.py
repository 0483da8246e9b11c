"""Progress of an apply, and the moment from which on it is not stopped any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.system.stopping import Stop

Looked = Callable[[int, int], object]
"""Called with the number of files that something is done for, and of all."""


def unseen(_done: int, _of: int) -> None:
    """Take the progress of work that is shown nowhere."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of writing files aside; then `stop.begin` is called, and they are put in place."""

    looked: Looked = unseen
    stop: Stop = field(default_factory=Stop)

    def of(self, count: int) -> Callable[[int], object]:
        """Return a function that reports how many of `count` files are written aside."""
        return lambda done: self.looked(done, count)


NOT_SHOWN = Progress()
"""For work that runs to its end."""
