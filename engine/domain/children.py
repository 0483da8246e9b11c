"""Runs that runs start: the rules for their parents, decided on the runs as they are stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from engine.domain.errors import user_error
from engine.domain.lifecycle import LIVE, status_words
from engine.domain.model import Run, RunSpec, Status
from engine.domain.record import record


@record
class ChildLimits:
    """Limits of one family of runs: a top run with its children, their children, and so on."""

    depth: int = 2
    """Levels of runs below the top run."""
    runs: int = 20
    """Runs below the top run, on all levels together."""


USUAL_LIMITS = ChildLimits()


def check_parent(parent: Run, limits: ChildLimits = USUAL_LIMITS) -> None:
    """Raise `UserError` if a run may not start a run: it has ended, or is too deep."""
    if parent.status not in LIVE or parent.status is Status.CANCELLING:
        message = f"The run {parent.id} {status_words(parent.status)}: it can start no run."
        raise user_error("PARENT_ENDED", message)
    depth = len(parent.spec.ancestors) + 1
    if depth > limits.depth:
        level = f"on level {depth} below {top_of(parent)}"
        message = f"A child of the run {parent.id} would be {level}, of at most {limits.depth}."
        raise user_error("CHILDREN_LIMIT", message)


def with_parent(spec: RunSpec, parent: Run, family: int, limits: ChildLimits) -> RunSpec:
    """Return the spec of a child with its ancestors; raises `UserError` at a limit.

    `family` is the number of runs below the top run so far.
    """
    check_parent(parent, limits)
    if family >= limits.runs:
        message = f"The run {top_of(parent)} has {family} runs below it, of at most {limits.runs}."
        raise user_error("CHILDREN_LIMIT", message)
    return replace(spec, parent=parent.id, ancestors=(*parent.spec.ancestors, parent.id))


def top_of(run: Run) -> str:
    """Return the id of the top run of a family; that of the run itself where it has no parent."""
    return run.spec.ancestors[0] if run.spec.ancestors else run.id


def descendants(runs: Iterable[Run], above: Iterable[str]) -> list[Run]:
    """Return those of `runs` that one of the runs `above` started, directly or not."""
    ids = frozenset(above)
    return [run for run in runs if not ids.isdisjoint(run.spec.ancestors)]
