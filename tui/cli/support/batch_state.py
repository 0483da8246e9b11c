"""The state of batches and their plans as JSON, and the runs that actions on a batch are for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from engine.domain.batch import Batch
from engine.domain.batch_json import batch_json
from engine.domain.errors import user_error
from engine.domain.model import Run
from engine.domain.ranking import tasks
from tui.cli.json.estimates import estimate_json
from tui.cli.support import session

if TYPE_CHECKING:
    from engine.engine import BatchPlan, CleanupFilter, CleanupPlan, Consent
    from engine.ports.engine import EnginePort


async def state_json(engine: EnginePort, batch: Batch) -> dict[str, Any]:
    """Return a batch as the JSON object of the contract."""
    return batch_json(batch, await engine.swarms.standing(batch.id, engine.slots))


async def plan_json(
    engine: EnginePort, plan: BatchPlan, consents: Sequence[Consent]
) -> dict[str, Any]:
    """Return the runs that a batch would start, and what has to be trusted before."""
    specs = [each.spec for each in plan.planned]
    return {
        "runs": len(specs),
        "disk": await engine.swarms.size(plan),
        "free": engine.disk.free(),
        "made_of": plan.swarm.made_of,
        "estimate": estimate_json(await engine.usage.estimate(specs)),
        "planned": [
            {"title": spec.title, "prompt": spec.prompt, "given": spec.given} for spec in specs
        ],
        "to_trust": [{"file": each.file, "asks": each.lines()} for each in consents],
    }


async def winners(engine: EnginePort, batch: Batch) -> list[Run]:
    """Return the best run of each task."""
    found = tasks(await engine.swarms.runs(batch.id))
    return [task.winner for task in found if task.winner]


async def runs_to_apply(engine: EnginePort, batch: Batch, names: Sequence[str]) -> list[Run]:
    """Return the named runs, or the best of each task; raises `UserError` where there are none."""
    if names:
        found = await session.find_all(engine, names)
        for run in found:
            if run.spec.batch != batch.id:
                message = f"The run {run.id} is not of the batch {batch.id}."
                raise user_error("INPUT_INVALID", message)
        return found
    best = await winners(engine, batch)
    found = [run for run in best if run.changes.files and not run.in_trash]
    if not found:
        raise user_error(
            "INPUT_INVALID",
            f"No run of the batch {batch.id} has won with a change: nothing to apply.",
            f"See `swarm-tui batch show {batch.id}`; --run RUN takes one all the same.",
        )
    return found


async def plan_drop(
    engine: EnginePort,
    batch: Batch,
    kept: Sequence[Run],
    looked: Callable[[int, int], None] | None = None,
) -> tuple[CleanupPlan, CleanupFilter]:
    """Return the clean-up of all other workspaces of a batch; an empty one where none is kept."""
    from engine.engine import CleanupFilter, CleanupPlan

    losers = await engine.swarms.losers(batch.id, kept)
    wish = CleanupFilter(runs=losers, including_unsaved=True, here_only=True)
    return await engine.disk.plan(wish, looked) if losers else CleanupPlan(), wish
