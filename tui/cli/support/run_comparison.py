"""Runs of a task side by side, the best first, as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.domain.activity import elapsed_s
from engine.domain.cost import cost_json
from engine.domain.errors import UserError, user_error
from engine.domain.ranking import check_outcome, of_same_task, ranked

if TYPE_CHECKING:
    from engine.domain.cost import RunCost
    from engine.domain.model import Run
    from engine.domain.ranking import RankedTask
    from engine.ports.engine import EnginePort
    from tui.formatting.comparison import Compared, ComparedRun


async def task_of_runs(engine: EnginePort, runs: Sequence[Run]) -> RankedTask:
    """Return these runs as one task; for a single run, all runs of its task. Raises `UserError`."""
    given: dict[str, str] = {}
    if len(runs) == 1 and (batch := runs[0].spec.batch):
        given = runs[0].spec.given
        runs = of_same_task(runs[0], await engine.swarms.runs(batch))
    if len(runs) == 1:
        message = f"The run {runs[0].id} is the only one of its task."
        raise user_error("INPUT_INVALID", message, "Name the runs to compare.")
    return ranked([await engine.workspaces.check(run) for run in runs], given)


async def comparison_json(engine: EnginePort, task: RankedTask) -> dict[str, Any]:
    """Return a task as `compare --json` prints it."""
    compared, cost = await compared_runs(engine, task), engine.costs.of_run
    return {
        "given": task.given,
        "winner": task.winner.id if task.winner else None,
        "why": [merit.value for merit in task.merits],
        "runs": [_run_json(run, compared[run.id], cost) for run in task.runs],
    }


async def compared_runs(engine: EnginePort, task: RankedTask) -> Compared:
    """Return the changed files and the last message of each run of a task."""
    return {run.id: await _read(engine, run) for run in task.runs}


async def _read(engine: EnginePort, run: Run) -> ComparedRun:
    """Return the files that a run changed and its last message, as far as they can be read."""
    from tui.formatting.comparison import ComparedRun, lines_of

    try:
        message = (await engine.workspaces.message(run.id)).partition("\n\n")[2]
        return ComparedRun(lines_of((await engine.workspaces.changes(run.id)).files), message)
    except UserError as error:  # it has no workspace, or no longer
        return ComparedRun(problem=error.message)


def _run_json(run: Run, compared: ComparedRun, cost: RunCost) -> dict[str, Any]:
    check = check_outcome(run)
    known = not run.has_unknown_changes
    return {
        "run": run.id,
        "status": run.status.value,
        "check": check.value if check else None,
        "changes": dict(compared.files) if known else None,
        "insertions": run.changes.insertions if known else None,
        "deletions": run.changes.deletions if known else None,
        "tokens": run.usage.input + run.usage.output,
        "cost_usd": cost_json(cost(run)),
        "elapsed_s": elapsed_s(run, time.time()),
        "last_message": compared.message or None,
    }
