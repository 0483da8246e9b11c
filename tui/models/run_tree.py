"""The order of a list in which the runs that a run started stand below it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from engine.domain.model import Run


def run_tree(runs: Iterable[Run]) -> list[tuple[Run, int]]:
    """Return runs with their depth: each below the nearest run above it that is listed, too.

    Otherwise the order stays.
    """
    listed = {run.id: run for run in runs}
    below: defaultdict[str, list[Run]] = defaultdict(list)
    top: list[Run] = []
    for run in listed.values():
        above = next((one for one in reversed(run.spec.ancestors) if one in listed), None)
        (top if above is None else below[above]).append(run)
    found: list[tuple[Run, int]] = []
    left = [(run, 0) for run in reversed(top)]
    while left:
        run, depth = left.pop()
        found.append((run, depth))
        left += [(child, depth + 1) for child in reversed(below[run.id])]
    return found
