"""Which runs the list shows, in which order and in which groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum

from engine.domain.activity import elapsed_s
from engine.domain.causes import UNSUCCESSFUL, cause
from engine.domain.lifecycle import is_stalled
from engine.domain.model import Run, Status
from engine.domain.record import record
from tui.models.filters import Test, compile_filter

NEEDS_ME = UNSUCCESSFUL
"""How a run has ended that waits for a decision of the user."""


def needs_me(run: Run) -> bool:
    """Say whether a run waits for the user: it failed, vanished, or is stalled."""
    return run.status in NEEDS_ME or is_stalled(run)


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
    """What the list can be sorted by: a column, or when the runs were made."""

    NEWEST = "newest"
    STATUS = "status"
    TITLE = "title"
    PROJECT = "project"
    PROGRESS = "progress"
    ELAPSED = "elapsed"
    TOKENS = "tokens"
    CHANGES = "changes"
    ATTEMPT = "attempt"

    @property
    def column(self) -> str:
        """The column that shows it."""
        return "age" if self is SortOrder.NEWEST else self.value

    @property
    def is_upward(self) -> bool:
        """Whether small comes first, unless reversed."""
        return self in (SortOrder.STATUS, SortOrder.TITLE, SortOrder.PROJECT, SortOrder.NEWEST)


class Grouping(StrEnum):
    """What the list can be grouped by; by cause it shows what failed, and nothing else."""

    NONE = "none"
    PROJECT = "project"
    BATCH = "batch"
    STATUS = "status"
    CAUSE = "cause"


_PLURALS = {
    Grouping.PROJECT: "projects",
    Grouping.BATCH: "batches",
    Grouping.STATUS: "statuses",
}

Key = tuple[float, str, float, str]
"""What runs are sorted by; the last part is the run's id."""


@record
class ListOptions:
    """What the user wants to see of all runs."""

    text: str = ""
    needs_me: bool = False
    sort: SortOrder = SortOrder.NEWEST
    is_reversed: bool = False
    grouping: Grouping = Grouping.NONE

    @property
    def is_all(self) -> bool:
        """Whether every run is shown."""
        return not self.text.strip() and not self.needs_me and not self.is_triage

    @property
    def is_triage(self) -> bool:
        """Whether only what failed is shown, by cause."""
        return self.grouping is Grouping.CAUSE

    def describe(self, shown: int, total: int) -> str:
        """Say in a few words what is shown, and how it is sorted where that is not as usual."""
        parts = [f"Runs {total}" if self.is_all else f"Runs {shown} of {total}"]
        if self.text.strip():
            parts.append(f"/{self.text.strip()}")
        if self.needs_me:
            parts.append("needs me")
        if self.is_triage:
            parts.append("failed, by cause")
        elif self.grouping is not Grouping.NONE:
            parts.append(f"in {_PLURALS[self.grouping]}")
        if self.sort is not SortOrder.NEWEST or self.is_reversed:
            parts.append(f"by {self.sort}{', reversed' if self.is_reversed else ''}")
        return " · ".join(parts)

    def next_sort(self, columns: Iterable[str]) -> ListOptions:
        """Sort by the next of these columns that can be sorted by; newest first begins the round.

        It begins in the column's own direction.
        """
        by_column = {sort.column: sort for sort in SortOrder}
        order = [SortOrder.NEWEST, *(by_column[name] for name in columns if name in by_column)]
        order = list(dict.fromkeys(order))
        at = order.index(self.sort) if self.sort in order else 0
        return replace(self, sort=order[(at + 1) % len(order)], is_reversed=False)

    def by_column(self, column: str) -> ListOptions:
        """Sort by a column; in the other direction where that is so already."""
        sort = next((sort for sort in SortOrder if sort.column == column), None)
        if sort is None:
            return self
        return replace(self, sort=sort, is_reversed=sort is self.sort and not self.is_reversed)

    def next_grouping(self) -> ListOptions:
        """Group by the next thing; the causes of failures have a command of their own."""
        order = [grouping for grouping in Grouping if grouping is not Grouping.CAUSE]
        at = order.index(self.grouping) if self.grouping in order else -1
        return replace(self, grouping=order[(at + 1) % len(order)])

    # What it means for a run

    def test(self) -> Test:
        """Make the test that shown runs meet."""
        matches = compile_filter(self.text)

        def is_wanted(run: Run) -> bool:
            if self.needs_me and not needs_me(run):
                return False
            if self.is_triage and run.status not in UNSUCCESSFUL:
                return False
            return matches(run)

        return is_wanted

    def key(self, run: Run, now: float) -> Key:
        """Give what the run is sorted by, within its group."""
        number, text = _KEYS[self.sort](run, now)
        return (number, text, -run.created_at, run.id)

    def group(self, run: Run) -> str:
        """Give the name of the run's group; runs in none have the empty one."""
        return _GROUPS[self.grouping](run)


def _tokens(run: Run) -> int:
    return run.usage.input + run.usage.output


_KEYS: dict[SortOrder, Callable[[Run, float], tuple[float, str]]] = {
    SortOrder.NEWEST: lambda run, now: (0, ""),
    SortOrder.STATUS: lambda run, now: (URGENCY.get(run.status, len(URGENCY)), ""),
    SortOrder.TITLE: lambda run, now: (0, run.spec.title.casefold()),
    SortOrder.PROJECT: lambda run, now: (0, run.spec.project.casefold()),
    SortOrder.PROGRESS: lambda run, now: (-run.percent, ""),
    SortOrder.ELAPSED: lambda run, now: (-elapsed_s(run, now), ""),
    SortOrder.TOKENS: lambda run, now: (-_tokens(run), ""),
    SortOrder.CHANGES: lambda run, now: (-run.changes.insertions - run.changes.deletions, ""),
    SortOrder.ATTEMPT: lambda run, now: (-run.attempt, ""),
}

_GROUPS: dict[Grouping, Callable[[Run], str]] = {
    Grouping.NONE: lambda run: "",
    Grouping.PROJECT: lambda run: run.spec.project,
    Grouping.BATCH: lambda run: run.spec.batch or "",
    Grouping.STATUS: lambda run: run.status.value,
    Grouping.CAUSE: cause,
}


def group_order(
    grouping: Grouping, name: str, newest: float, count: int
) -> tuple[float, float, str]:
    """Give what groups are sorted by; `newest` is when the group's newest run was made."""
    match grouping:
        case Grouping.STATUS:
            return (URGENCY.get(Status.read(name), len(URGENCY)), 0, name)
        case Grouping.CAUSE:
            return (-count, 0, name)
        case Grouping.BATCH:
            return (not name, -newest, name)
        case _:
            return (0, 0, f"{name.casefold()} {name}")
