"""Which runs the list shows, and in which order: the filter's language and the sorting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from engine.domain.activity import elapsed_s
from engine.domain.model import Run, Status
from tui import show

NEEDS_ME = frozenset({Status.FAILED, Status.INTERRUPTED})
"""How a run has ended that waits for a decision of the user."""


def needs_me(run: Run) -> bool:
    """Say whether a run waits for the user: it failed, vanished, or is stalled."""
    return run.status in NEEDS_ME or show.is_stalled(run)


_URGENCY = {
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

_FIELDS: dict[str, Callable[[Run], str]] = {
    "status": lambda run: run.status.value,
    "project": lambda run: run.spec.project,
    "agent": lambda run: run.spec.agent.value,
    "template": lambda run: run.spec.template or "",
}


class Sort(StrEnum):
    """What the list can be sorted by, the next one after each other."""

    NEWEST = "newest"
    STATUS = "status"
    TITLE = "title"
    PROGRESS = "progress"
    ELAPSED = "elapsed"


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user wants to see of all runs."""

    text: str = ""
    needs_me: bool = False
    sort: Sort = Sort.NEWEST
    is_reversed: bool = False

    @property
    def is_all(self) -> bool:
        """Whether every run is shown."""
        return not self.text.strip() and not self.needs_me

    @property
    def is_fixed(self) -> bool:
        """Whether what happens to a run leaves its place as it is."""
        return self.is_all and self.sort in (Sort.NEWEST, Sort.TITLE)

    def describe(self, shown: int, total: int) -> str:
        """Say in a few words what is shown, and how it is sorted where that is not as usual."""
        parts = [f"Runs {total}" if self.is_all else f"Runs {shown} of {total}"]
        if self.needs_me:
            parts.append("needs me")
        if self.sort is not Sort.NEWEST or self.is_reversed:
            parts.append(f"by {self.sort}{', reversed' if self.is_reversed else ''}")
        return " · ".join(parts)

    def next_sort(self) -> Selection:
        """Sort by the next column."""
        order = list(Sort)
        return replace(self, sort=order[(order.index(self.sort) + 1) % len(order)])

    def arrange(self, runs: Iterable[Run], now: float) -> list[Run]:
        """Give the runs to show, in order."""
        tests = [_test(word) for word in self.text.lower().split()]
        shown = [
            run
            for run in runs
            if (not self.needs_me or needs_me(run)) and all(test(run) for test in tests)
        ]
        shown.sort(key=lambda run: (run.created_at, run.id), reverse=True)
        if self.sort is not Sort.NEWEST:
            shown.sort(key=partial(_key, self.sort, now))
        if self.is_reversed:
            shown.reverse()
        return shown


def _key(sort: Sort, now: float, run: Run) -> tuple[float, str]:
    match sort:
        case Sort.STATUS:
            return (_URGENCY[run.status], "")
        case Sort.TITLE:
            return (0, run.spec.title.casefold())
        case Sort.PROGRESS:
            return (-run.percent, "")
        case _:
            return (-elapsed_s(run, now), "")


def _test(word: str) -> Callable[[Run], bool]:
    if word.startswith("!"):
        wanted = _test(word[1:]) if len(word) > 1 else None
        return (lambda run: not wanted(run)) if wanted else (lambda _: True)
    name, colon, value = word.partition(":")
    field = _FIELDS.get(name) if colon else None
    if field:
        return lambda run: value in field(run).lower()
    return lambda run: word in _haystack(run)


def _haystack(run: Run) -> str:
    spec = run.spec
    return f"{run.id} {spec.title} {spec.project} {run.status} {spec.agent}".lower()
