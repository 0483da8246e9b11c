"""Sort keys by which the runs that a run started stand below it, where both are in one group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from engine.domain.model import Run
from tui.models.list_options import Key, ListOptions, SortOrder

TreeKey = tuple[Any, ...]
"""The key of each run above, then the run's own: a parent's is the beginning of its child's.

The last part is the run's id."""
_LAST = (float("inf"), "", 0.0)
"""Sorts after all keys: a list in the reversed order begins at the end."""

OwnKey = tuple[str, Key]
"""The group of a run, and the key that it would have there alone."""


class RunFamilies:
    """The families among the runs of a list: few runs have one.

    By urgency a family stands where its most urgent run would; in other orders, where its top
    run would.
    """

    def __init__(self, options: ListOptions) -> None:
        self._is_reversed = options.is_reversed
        self._is_by_urgency = options.sort is SortOrder.URGENCY and not options.is_reversed
        self._top_of: dict[str, str] = {}
        self._below: defaultdict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        """The runs below each top run, with the runs above them."""
        self._own: dict[str, OwnKey] = {}
        """Known facts of the members that are shown."""
        self._keys: dict[str, TreeKey] = {}
        self._depths: dict[str, int] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._top_of

    def key(self, run_id: str) -> TreeKey | None:
        """Return the key of a shown run; None for one without a family."""
        return self._keys.get(run_id)

    def depth(self, run_id: str) -> int:
        """Return how many shown runs of its group stand above a run."""
        return self._depths.get(run_id, 0)

    def add(self, run: Run) -> Iterator[str]:
        """Add a run that has a parent; return the runs that are in a family since then."""
        if not run.spec.ancestors or run.id in self._top_of:
            return
        top = run.spec.ancestors[0]
        self._below[top][run.id] = run.spec.ancestors
        for one in (top, run.id):
            if one not in self._top_of:
                self._top_of[one] = top
                yield one

    def put(self, own: Mapping[str, OwnKey | None]) -> set[str]:
        """Set the own keys of members, None: not shown; return the members whose keys change."""
        changed: set[str] = set()
        for run_id, key in own.items():
            if self._own.get(run_id) != key:
                changed.add(self._top_of[run_id])
                if key is None:
                    del self._own[run_id]
                else:
                    self._own[run_id] = key
        return set[str]().union(*map(self._arrange, changed))

    def _arrange(self, top: str) -> set[str]:
        """Find the keys of a family again; return the members that have another one."""
        members = {top: (), **self._below[top]}
        above = {one: self._nearest(one, members[one]) for one in members if one in self._own}
        order = sorted(above, key=lambda one: len(members[one]))
        leads = {one: self._own[one][1][:3] for one in order}
        if self._is_by_urgency:
            for one in reversed(order):
                if (parent := above[one]) is not None:
                    leads[parent] = min(leads[parent], leads[one])
        paths: dict[str, TreeKey] = {}
        depths: dict[str, int] = {}
        for one in order:
            parent = above[one]
            paths[one] = (*(paths[parent] if parent else ()), *leads[one], one)
            depths[one] = depths[parent] + 1 if parent else 0
        return self._replace(members, paths, depths)

    def _replace(
        self, members: Mapping[str, object], paths: dict[str, TreeKey], depths: dict[str, int]
    ) -> set[str]:
        changed: set[str] = set()
        for one in members:
            path = paths.get(one)
            key = (*path, *_LAST, one) if path and self._is_reversed else path
            if self._keys.get(one) != key:
                changed.add(one)
            if key is None:
                self._keys.pop(one, None)
                self._depths.pop(one, None)
            else:
                self._keys[one], self._depths[one] = key, depths[one]
        return changed

    def _nearest(self, run_id: str, ancestors: tuple[str, ...]) -> str | None:
        """Return the nearest run above that is shown in the same group."""
        group = self._own[run_id][0]
        shown = (one for one in reversed(ancestors) if one in self._own)
        return next((one for one in shown if self._own[one][0] == group), None)
