"""Requests that concern a run together with the runs that it started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.domain.children import ChildLimits, check_parent, descendants
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run, RunSpec
from engine.runs.finder import find_run

if TYPE_CHECKING:
    from engine.store.store import Store

CancelRuns = Callable[[Iterable[str]], Awaitable[list[Run]]]


async def with_found_parent(spec: RunSpec, store: Store, limits: ChildLimits) -> RunSpec:
    """Return a request with the id of its parent, as it may be named; raises `UserError`.

    The store checks the limits once more where it adds the run.
    """
    parent = await find_run(store, spec.parent or "")
    check_parent(parent, limits)
    return replace(spec, parent=parent.id)


async def cancel_below(store: Store, runs: Iterable[str], cancel: CancelRuns) -> list[Run]:
    """Cancel all that `runs`, which are cancelled already, have started; return those runs."""
    above, asked = list(runs), set[str]()
    done: list[Run] = []
    # A child can start a run until it is cancelled itself: search until no further one is found.
    while True:
        live = await store.runs(statuses=LIVE)
        below = [run.id for run in descendants(live, above) if run.id not in asked]
        if not below:
            return done
        asked.update(below)
        done += await cancel(below)
