"""Finished runs that need no decision: all but the latest stand on one line."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from tui.models.list_options import Key

LATEST = 10
"""Settled runs that stay in the list."""
OLDER = "\0older"
"""The name of the group of the others; no project or batch can have it."""


class OlderRuns:
    """Settled runs in the list's order; those after the latest few are older.

    A run that comes or goes moves at most one other over the border.
    """

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._key_of: dict[str, Key] = {}

    def __contains__(self, run_id: str) -> bool:
        key = self._key_of.get(run_id)
        return key is not None and len(self._keys) > LATEST and key >= self._keys[LATEST]

    def load(self, keys: Iterable[Key]) -> None:
        """Take in many runs at once, by their keys, before all others."""
        self._keys = sorted(keys)
        self._key_of = {key[-1]: key for key in self._keys}

    def key(self, run_id: str) -> Key | None:
        """Return the key of a run; None for one that is not settled."""
        return self._key_of.get(run_id)

    def put(self, run_id: str, key: Key | None) -> set[str]:
        """Add or move a run, or remove it without a key; return the runs that crossed the border.

        The run itself is not among them.
        """
        old = self._key_of.get(run_id)
        if old == key:
            return set()
        before = self._at_border()
        if old is not None:
            del self._keys[bisect_left(self._keys, old)]
            del self._key_of[run_id]
        if key is not None:
            insort(self._keys, key)
            self._key_of[run_id] = key
        return (before | self._at_border()) - {run_id}

    def _at_border(self) -> set[str]:
        """Return the ids on both sides of the border."""
        return {key[-1] for key in self._keys[LATEST - 1 : LATEST + 1]}
