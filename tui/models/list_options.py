"""Options of the run list: a filter, an order, and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from engine.domain.activity import elapsed_s
from engine.domain.attention import Attention, attention_of, is_asking, is_settled, needs_you
from engine.domain.causes import UNSUCCESSFUL, cause
from engine.domain.cost import RunCost, no_cost
from engine.domain.hosts import host_of
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run, Status
from engine.domain.record import record
from tui.models.filters import Test, compile_filter

URGENCY = {
    status: place
    for place, status in enumerate(
        (
            Status.FAILED,
            Status.INTERRUPTED,
            Status.CANCELLING,
            Status.VERIFYING,
            Status.RUNNING,
            Status.PREPARING,
            Status.QUEUED,
            Status.SUCCEEDED,
            Status.CANCELLED,
        )
    )
}
"""The order of statuses: what wants to be seen first comes first."""


class SortOrder(StrEnum):
    """Orders of the list: by urgency, by age, or by a column."""

    URGENCY = "urgency"
    NEWEST = "newest"
    STATUS = "status"
    TITLE = "title"
    PROJECT = "project"
    PROGRESS = "progress"
    ELAPSED = "elapsed"
    TOKENS = "tokens"
    COST = "cost"
    CHANGES = "changes"
    ATTEMPT = "attempt"

    @property
    def column(self) -> str:
        """Return the column that shows the order; empty where none does."""
        if self is SortOrder.URGENCY:
            return ""
        return "age" if self is SortOrder.NEWEST else self.value

    @property
    def is_upward(self) -> bool:
        """Return whether small values come first, unless reversed."""
        return self in (SortOrder.STATUS, SortOrder.TITLE, SortOrder.PROJECT, SortOrder.NEWEST)


class Grouping(StrEnum):
    """Properties by which runs are grouped; by cause, only runs that failed are shown."""

    NONE = "none"
    PROJECT = "project"
    BATCH = "batch"
    STATUS = "status"
    TAGS = "tags"
    NODE = "node"
    CAUSE = "cause"


_PLURALS = {
    Grouping.PROJECT: "projects",
    Grouping.BATCH: "batches",
    Grouping.STATUS: "statuses",
    Grouping.TAGS: "groups of the same tags",
    Grouping.NODE: "nodes",
}

Key = tuple[float, str, float, str]
"""Values that runs are sorted by; the last part is the run's id."""


@record
class ListOptions:
    """The user's choice of runs, their order and their groups."""

    text: str = ""
    needs_you: bool = False
    sort: SortOrder = SortOrder.URGENCY
    is_reversed: bool = False
    grouping: Grouping = Grouping.NONE

    @property
    def is_all(self) -> bool:
        """Return whether every run is shown."""
        return not self.text.strip() and not self.needs_you and not self.is_triage

    @property
    def is_triage(self) -> bool:
        """Return whether only failed runs are shown, by cause."""
        return self.grouping is Grouping.CAUSE

    @property
    def folds_older(self) -> bool:
        """Return whether older runs that need no decision stand on one line at the end."""
        is_usual = self.sort is SortOrder.URGENCY and not self.is_reversed
        return is_usual and self.is_all and self.grouping is Grouping.NONE

    def describe(self, shown: int, total: int) -> str:
        """Return a short text: the runs shown, and their order where it is not the usual one."""
        parts = [f"Runs {total}" if self.is_all else f"Runs {shown} of {total}"]
        if self.text.strip():
            parts.append(f"/{self.text.strip()}")
        if self.needs_you:
            parts.append("needs you")
        if self.is_triage:
            parts.append("failed, by cause")
        elif self.grouping is not Grouping.NONE:
            parts.append(f"in {_PLURALS[self.grouping]}")
        if self.sort is not SortOrder.URGENCY or self.is_reversed:
            parts.append(f"by {self.sort}{', reversed' if self.is_reversed else ''}")
        return " · ".join(parts)

    def next_sort(self, columns: Iterable[str]) -> ListOptions:
        """Return these options sorted by the next of these columns, in its own direction.

        The usual order begins the round, then newest first.
        """
        by_column = {sort.column: sort for sort in SortOrder}
        usual = [SortOrder.URGENCY, SortOrder.NEWEST]
        order = [*usual, *(by_column[name] for name in columns if name in by_column)]
        order = list(dict.fromkeys(order))
        at = order.index(self.sort) if self.sort in order else 0
        return replace(self, sort=order[(at + 1) % len(order)], is_reversed=False)

    def by_column(self, column: str) -> ListOptions:
        """Return these options sorted by a column; the second time, in the other direction."""
        sort = next((sort for sort in SortOrder if column and sort.column == column), None)
        if sort is None:
            return self
        return replace(self, sort=sort, is_reversed=sort is self.sort and not self.is_reversed)

    def next_grouping(self, *, has_tags: bool = True, has_nodes: bool = False) -> ListOptions:
        """Return these options grouped by the next property; causes have a command of their own."""
        is_missing = {Grouping.TAGS: not has_tags, Grouping.NODE: not has_nodes}
        left_out = {Grouping.CAUSE, *(one for one, is_so in is_missing.items() if is_so)}
        order = [grouping for grouping in Grouping if grouping not in left_out]
        at = order.index(self.grouping) if self.grouping in order else -1
        return replace(self, grouping=order[(at + 1) % len(order)])

    # What it means for a run

    def test(self) -> Test:
        """Return the test that shown runs meet."""
        matches = compile_filter(self.text)
        if not self.needs_you and not self.is_triage:
            return matches

        def is_wanted(run: Run) -> bool:
            if self.needs_you and not needs_you(run):
                return False
            if self.is_triage and run.status not in UNSUCCESSFUL:
                return False
            return matches(run)

        return is_wanted

    def key(self, run: Run, now: float, cost: RunCost = no_cost) -> Key:
        """Return the key by which the run is sorted within its group."""
        if self.sort is SortOrder.URGENCY:
            return _urgency(run)
        if self.sort is SortOrder.COST:
            usd = cost(run)
            return (1.0 if usd is None else -usd, "", -run.created_at, run.id)
        number, text = _KEYS[self.sort](run, now)
        return (number, text, -run.created_at, run.id)

    def group(self, run: Run) -> str:
        """Return the name of the run's group; runs in none have the empty one."""
        return _GROUPS[self.grouping](run)


def is_foldable(run: Run) -> bool:
    """Return whether a run is finished and the user has decided about it."""
    if run.status not in FINISHED or run.is_archived:
        return False
    return is_settled(run) and not needs_you(run)


HIGHEST_PRIORITY = 10**18
_LEVELS = {Attention.NEEDS_YOU: 0, Attention.RUNNING: 1, Attention.QUEUED: 2}


def _urgency(run: Run) -> Key:
    """Return a key: runs that need the user, running, queued as they start, then the newest.

    Of those that need the user, the ones whose agents ask come first: they cannot go on.
    """
    level = _LEVELS.get(attention_of(run), len(_LEVELS))
    if level == _LEVELS[Attention.QUEUED]:
        return (level, f"{HIGHEST_PRIORITY - run.spec.priority:020}", run.queued_at, run.id)
    return (level, "" if is_asking(run) else "~", -run.created_at, run.id)


_KEYS: dict[SortOrder, Callable[[Run, float], tuple[float, str]]] = {
    SortOrder.NEWEST: lambda run, now: (0, ""),
    SortOrder.STATUS: lambda run, now: (URGENCY.get(run.status, len(URGENCY)), ""),
    SortOrder.TITLE: lambda run, now: (0, run.spec.title.casefold()),
    SortOrder.PROJECT: lambda run, now: (0, run.spec.project.casefold()),
    SortOrder.PROGRESS: lambda run, now: (-run.percent, ""),
    SortOrder.ELAPSED: lambda run, now: (-elapsed_s(run, now), ""),
    SortOrder.TOKENS: lambda run, now: (-run.used_tokens, ""),
    SortOrder.CHANGES: lambda run, now: (-run.changes.insertions - run.changes.deletions, ""),
    SortOrder.ATTEMPT: lambda run, now: (-run.attempt, ""),
}

_GROUPS: dict[Grouping, Callable[[Run], str]] = {
    Grouping.NONE: lambda run: "",
    Grouping.PROJECT: lambda run: run.spec.project,
    Grouping.BATCH: lambda run: run.spec.batch or "",
    Grouping.STATUS: lambda run: run.status.value,
    Grouping.TAGS: lambda run: " ".join(sorted(run.tags)),
    Grouping.NODE: host_of,
    Grouping.CAUSE: cause,
}


def group_order(
    grouping: Grouping, name: str, newest: float, count: int
) -> tuple[float, float, str]:
    """Return the key by which groups are sorted; `newest` is the time of its newest run."""
    match grouping:
        case Grouping.STATUS:
            return (URGENCY.get(Status.read(name), len(URGENCY)), 0, name)
        case Grouping.CAUSE:
            return (-count, 0, name)
        case Grouping.BATCH:
            return (not name, -newest, name)
        case Grouping.TAGS:
            return (not name, 0, name)
        case _:
            return (0, 0, f"{name.casefold()} {name}")
