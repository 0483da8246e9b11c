"""Answers of operations: the objects of `--json`, under the types that describe them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from engine.domain.model import Run
from tui.cli.json import ListedRunJson, RunJson, ShownRunJson
from tui.cli.support import listing, waiting

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

Shape = TypeVar("Shape")


def as_shape(shape: type[Shape], value: object) -> Shape:
    """Return an object of `--json` under its type, without converting it.

    The tests of the command line check that such objects fit their shapes.
    """
    del shape
    return cast("Shape", value)


async def listed(engine: EnginePort, runs: Sequence[Run]) -> list[ListedRunJson]:
    """Return runs as `ls --json` prints them."""
    now, waits = time.time(), await waiting.of_store(engine)
    radar, state = await engine.radar(), listing.supervision_of(engine, runs)
    cost = engine.costs.of_run
    found: list[dict[str, Any]] = [
        listing.listed_json(run, now, waits, radar.overlaps(run.id), state, cost) for run in runs
    ]
    return as_shape(list[ListedRunJson], found)


async def shown(engine: EnginePort, run: Run) -> ShownRunJson:
    """Return a run as `show --json` prints it."""
    (found,) = await listed(engine, [run])
    windows = await listing.windows_of(engine, run)
    return as_shape(ShownRunJson, listing.shown_json(cast("dict[str, Any]", found), windows))


async def changed(engine: EnginePort, runs: Sequence[Run]) -> list[RunJson]:
    """Return runs after an operation changed them, as its command prints them."""
    now, waits = time.time(), await waiting.of_store(engine)
    cost = engine.costs.of_run
    found = [waiting.told_json(run, now, waits, cost) for run in runs]
    return as_shape(list[RunJson], found)
