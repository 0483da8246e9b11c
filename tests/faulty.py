"""Faults injected into tasks by their names; run as a program, it is the real command with them.

python faulty.py once|always NAME,NAME,…|* COMMAND…
"""

from __future__ import annotations

import sys
from collections import Counter
from contextvars import ContextVar
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.execution import faults, task_tree

QUICK = task_tree.Backoff(first_s=0.02, longest_s=0.2, well_s=1.0)
TEXT = "injected for the test"


class Injected(Exception):
    """What the tests let tasks fail with."""


class Faulty:
    """Lets the tasks of one engine fail: `times` each of those that `names` match."""

    def __init__(self, names: tuple[str, ...] = (), times: float = 0) -> None:
        self.names = names
        self.times = times
        self.seen: Counter[str] = Counter()
        """How often each task was started, and each guard was entered."""
        self.failed: set[str] = set()

    def meet(self, name: str) -> None:
        kind = kind_of(name)
        self.seen[name] += 1
        if kind in self.names and self.seen[name] <= self.times:
            self.failed.add(name)
            raise Injected(TEXT)


def kind_of(name: str) -> str:
    """The name without that of its run or receiver."""
    word = name.split()[0]
    is_of_one = word in ("run", "checkpoint", "receiver") and name != "run records"
    return word if is_of_one else name


CURRENT: ContextVar[Faulty | None] = ContextVar("faulty", default=None)
"""Many engines may be open in one process, each with faults of its own."""


def inject(name: str) -> None:
    if faulty := CURRENT.get():
        faulty.meet(name)


class Everything(tuple[str, ...]):
    """Matches every name."""

    def __contains__(self, _: object) -> bool:
        return True


def main() -> None:
    how, names, *words = sys.argv[1:]
    wanted = Everything() if names == "*" else tuple(names.split(","))
    CURRENT.set(Faulty(wanted, 1 if how == "once" else float("inf")))
    faults.inject = inject
    task_tree.BACKOFF = QUICK
    sys.argv = ["swarm-tui", *words]
    from swarm_tui import main as command

    sys.exit(command())


if __name__ == "__main__":
    main()
