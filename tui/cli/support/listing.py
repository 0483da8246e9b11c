"""Runs as `ls` and `show` list them: as JSON, and with a note where nothing supervises them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engine.domain.lifecycle import FINISHED, LIVE
from engine.domain.model import Run
from tui.cli.support import output

if TYPE_CHECKING:
    from engine.domain.cost import RunCost
    from engine.domain.radar import Overlap
    from engine.domain.usage import LimitCycle
    from engine.engine import SupervisionState
    from engine.ports.engine import EnginePort
    from engine.ports.run_list import RunListPort
    from tui.cli.support.waiting import QueueWait

STANDS = "?"
"""Marks the time of a run that nothing supervises."""


def supervision_of(engine: RunListPort, runs: Iterable[Run]) -> SupervisionState | None:
    """Return how the runs are supervised; None where none of them is live."""
    if not any(run.status in LIVE for run in runs):
        return None
    from engine.run_reader import supervision_state  # late: seldom needed

    return supervision_state(engine.paths)


def show_unsupervised(state: SupervisionState | None, runs: Iterable[Run]) -> None:
    """Print why live runs are not supervised, and the meaning of the marked times."""
    if state is None or not state.problem:
        return
    output.say_aside(state.problem)
    if any(state.stands(run) for run in runs):
        output.say_aside(f"Times marked {STANDS} are as of the last sign of supervision.")


def time_of(run: Run, now: float, state: SupervisionState | None) -> float:
    """Return the time up to which a run is known."""
    return state.time_of(run, now) if state else now


def listed_json(
    run: Run,
    now: float,
    waits: Mapping[str, QueueWait],
    overlaps: Sequence[Overlap],
    state: SupervisionState | None,
    cost: RunCost,
) -> dict[str, Any]:
    """Return a run as a JSON object, with the runs that change the same files."""
    from tui.cli.support import waiting

    listed = [{"run": one.run, "paths": list(one.paths)} for one in overlaps]
    supervised = None if state is None or run.status not in LIVE else not state.problem
    told = waiting.told_json(run, time_of(run, now, state), waits, cost)
    return {**told, "supervised": supervised, "overlaps": listed}


async def windows_of(engine: EnginePort, run: Run) -> list[LimitCycle]:
    """Return the rate-limit windows of a run's account; none once the run has ended."""
    if run.status in FINISHED:
        return []
    from engine.domain.account import account_name  # late: not all that list runs need it

    account = account_name(run)
    return [one for one in await engine.usage.limits() if one.account == account]


def shown_json(listed: dict[str, Any], windows: Sequence[LimitCycle]) -> dict[str, Any]:
    """Return a listed run with the forecast of its account's limits."""
    from engine.domain.usage_json import window_json

    return {**listed, "forecast": [window_json(one) for one in windows]}
