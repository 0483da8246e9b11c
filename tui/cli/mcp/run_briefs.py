"""Short run objects: some keys of the run object of docs/json.md, with texts cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.domain.model import Run
from tui.cli.api.answers import changed
from tui.cli.mcp.bounds import bounded

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

KEYS = (
    *("id", "title", "project", "batch", "parent", "status", "cause", "waiting_for", "activity"),
    *("progress", "created_at", "finished_at", "elapsed_s", "attempt", "changes", "error"),
)


async def briefs(engine: EnginePort, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return short objects of runs, in their order."""
    found: list[Any] = list(await changed(engine, runs))
    return [bounded({key: run[key] for key in KEYS if key in run}) for run in found]


async def brief(engine: EnginePort, run: Run) -> dict[str, Any]:
    """Return a short object of a run."""
    return (await briefs(engine, [run]))[0]
