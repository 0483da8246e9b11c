"""Live runs of one source that change the same files."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two runs, in the order of their ids, and the paths both have changed, sorted."""

    first: str
    second: str
    paths: tuple[str, ...]


def conflicts(runs: Mapping[str, tuple[str | None, Set[str]]]) -> list[Conflict]:
    """Find the pairs of runs with the same source and shared paths, sorted by run.

    `runs` gives each live run's source and changed paths; a run without a source meets nobody.
    """
    by_path: dict[tuple[str, str], list[str]] = {}
    for run, (source, paths) in runs.items():
        for path in paths if source is not None else ():
            by_path.setdefault((source or "", path), []).append(run)
    pairs: dict[tuple[str, str], list[str]] = {}
    for (_, path), owners in by_path.items():
        for first, second in combinations(sorted(owners), 2):
            pairs.setdefault((first, second), []).append(path)
    return [Conflict(*pair, tuple(sorted(pairs[pair]))) for pair in sorted(pairs)]
