"""The runs to review, in an order that stays: those decided keep their place, new ones follow."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

from engine.domain.attention import is_settled, to_review
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run


def is_undecided(run: Run) -> bool:
    """Return whether a run has ended and waits for the user's decision."""
    return run.status in FINISHED and not is_settled(run) and not run.in_trash


class ReviewQueue:
    """Runs to review one after another. `order` are the runs of the list it was opened from.

    `accepts` decides about runs that end meanwhile; None: the runs were chosen, and stay so.
    """

    def __init__(
        self,
        runs: Mapping[str, Run],
        order: Sequence[str],
        chosen: Iterable[str],
        accepts: Callable[[Run], bool] | None = None,
    ) -> None:
        self._runs = runs
        self._places = {run_id: place for place, run_id in enumerate(order)}
        self._members = dict.fromkeys(chosen)
        self._accepts = accepts

    @classmethod
    def of_list(
        cls,
        runs: Mapping[str, Run],
        order: Iterable[str],
        accepts: Callable[[Run], bool] = lambda run: True,
    ) -> ReviewQueue:
        """Return the queue of all runs of a list that wait for a review."""
        ids = [run_id for run_id in order if run_id in runs]
        return cls(runs, ids, (run_id for run_id in ids if to_review(runs[run_id])), accepts)

    @classmethod
    def of_chosen(
        cls, runs: Mapping[str, Run], order: Iterable[str], chosen: Iterable[str]
    ) -> ReviewQueue:
        """Return the queue of chosen runs, whatever their state, as far as they can be shown."""
        shown = (run_id for run_id in chosen if run_id in runs and runs[run_id].workspace)
        return cls(runs, list(order), shown)

    def update(self, changed: Iterable[str]) -> bool:
        """Add the changed runs that wait for a review now; return whether there are any."""
        if self._accepts is None:
            return False
        found = [self._runs[run_id] for run_id in changed if run_id in self._runs]
        new = [
            run.id
            for run in sorted(found, key=lambda run: (run.finished_at or 0.0, run.id))
            if run.id not in self._members and to_review(run) and self._accepts(run)
        ]
        self._members.update(dict.fromkeys(new))
        return bool(new)

    @property
    def ids(self) -> list[str]:
        """The runs in order, without those that were forgotten meanwhile."""
        return [run_id for run_id in self._members if run_id in self._runs]

    @property
    def undecided(self) -> list[str]:
        """The runs that wait for a decision, in order."""
        return [run_id for run_id in self.ids if is_undecided(self._runs[run_id])]

    def place(self, run_id: str) -> int | None:
        """Return the place of a run, from 1; None for one that is not in the queue."""
        ids = self.ids
        return ids.index(run_id) + 1 if run_id in ids else None

    def step(self, run_id: str, by: int) -> str | None:
        """Return the next run (1) or the one before (-1); of any run, by the order of the list."""
        ids = self.ids
        if run_id in ids:
            at = ids.index(run_id) + by
        else:
            after = self._first_after(ids, run_id)
            at = after if by > 0 else after - 1
        return ids[at] if 0 <= at < len(ids) else None

    def _first_after(self, ids: Sequence[str], run_id: str) -> int:
        """Return the index of the first run that comes after another one in the list."""
        known = [self._places[one] for one in ids if one in self._places]
        return bisect_left(known, self._places.get(run_id, -1))

    def next_undecided(self, run_id: str) -> str | None:
        """Return the next run that waits for a decision, from the start where none follows."""
        ids, undecided = self.ids, set(self.undecided) - {run_id}
        at = ids.index(run_id) + 1 if run_id in ids else self._first_after(ids, run_id)
        return next((one for one in (*ids[at:], *ids[:at]) if one in undecided), None)
