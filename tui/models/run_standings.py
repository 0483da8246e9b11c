"""The standing of runs: which changed it, and how many there are of each kind.

Nearly all events are steps of agents, which change no order, no count and no alert. To find that
out takes a microsecond or two, where a place in the list takes fifteen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any
from weakref import WeakKeyDictionary

from engine.domain.attention import Attention, attention_of, is_asking
from engine.domain.hosts import host_of
from engine.domain.lifecycle import ACTIVE, LIVE
from engine.domain.model import LOCAL, Run
from tui.models.account_limits import AccountLimits

AT_ONCE = 2_000
"""Runs that are counted in one go, 14 ms; of more, the others in slices."""
_STEPS = frozenset(
    {
        "seq",
        "last_event_at",
        "last_sign_at",
        "doing",
        "doing_since",
        "occupation",
        "open_items",
        "tool_steps",
        "message",
        "notice",
        "plan",
        "plan_pace",
    }
)
"""Fields that only lines of runs show, and neither lists nor counts look at."""
_standing: attrgetter[tuple[Any, ...]] = attrgetter(
    *(name for name in Run.__match_args__ if name not in _STEPS)
)


class RunStandings:
    """Standings of live runs as one who counts or sorts them saw them last."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Any, ...]] = {}

    def changed(self, runs: Mapping[str, Run], ids: Iterable[str]) -> list[str]:
        """Return those of the runs that stand otherwise than before, ended and new ones included.

        They are taken as seen.
        """
        return [run_id for run_id in ids if self._has_changed(run_id, runs.get(run_id))]

    def _has_changed(self, run_id: str, run: Run | None) -> bool:
        if run is None or run.status not in LIVE:
            self._seen.pop(run_id, None)
            return True
        standing = _standing(run)
        if self._seen.get(run_id) == standing:
            return False
        self._seen[run_id] = standing
        return True


class RunCounts:
    """The number of runs of each kind, and the limits that they reported: one for all screens.

    Runs that did not change cost nothing.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[int, Attention, bool, bool]] = {}
        self.kinds: Counter[Attention] = Counter()
        self.busy = 0
        """Runs that have a slot of this machine."""
        self.asking = 0
        self.limits = AccountLimits()
        self.news_at = 0.0
        """Time of the last event of any run."""

    def count_all(self, runs: Mapping[str, Run]) -> Sequence[str]:
        """Count the runs that changed since, and take the limits that they reported last.

        Of very many, the latest are counted; return the others, for `count_more`.
        """
        kinds = self._kinds
        changed = [
            run_id
            for run_id, run in runs.items()
            if (known := kinds.get(run_id)) is None or known[0] != run.seq
        ]
        changed.sort(reverse=True)  # ids begin with the time
        self.count(runs, kinds.keys() - runs.keys())
        self.count_more(runs, changed[:AT_ONCE])
        return changed[AT_ONCE:]

    def count_more(self, runs: Mapping[str, Run], ids: Sequence[str]) -> None:
        """Count the runs in `ids`, and take the limits that they reported last."""
        self.limits.load(runs[run_id] for run_id in ids if run_id in runs)
        self.count(runs, ids)

    def count(self, runs: Mapping[str, Run], ids: Iterable[str]) -> None:
        """Count the runs in `ids` again."""
        for run_id in ids:
            known, run = self._kinds.pop(run_id, None), runs.get(run_id)
            new = _kind(run) if run else None
            if run and new:
                self._kinds[run_id] = (run.seq, *new)
                self.news_at = max(self.news_at, run.last_event_at)
            if known and new == known[1:]:  # as after nearly all events
                continue
            if known:
                self._add(*known[1:], by=-1)
            if new:
                self._add(*new, by=1)

    def _add(self, kind: Attention, busy: bool, asking: bool, by: int) -> None:
        self.kinds[kind] += by
        self.busy += by * busy
        self.asking += by * asking


def _kind(run: Run) -> tuple[Attention, bool, bool]:
    """Return the attention that a run asks for, whether it has a slot, and whether it asks."""
    # The slots shown are those of this machine: each node has its own.
    is_busy = run.status in ACTIVE and host_of(run) == LOCAL
    return attention_of(run), is_busy, is_asking(run)


_COUNTS: WeakKeyDictionary[object, RunCounts] = WeakKeyDictionary()


def counts_of(app: object) -> RunCounts:
    """Return the counts that all screens of an app share: a home has 50,000 runs to count."""
    if (found := _COUNTS.get(app)) is None:
        found = _COUNTS[app] = RunCounts()
    return found
