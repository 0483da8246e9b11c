"""Runs that a run starts, requested by a client: their workspace, and at most the run's rights.

Without a parent, the bounds are those of an agent that works outside of runs.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.config.run_options import OF_AGENTS
from engine.domain.budget import Budget, BudgetUnit
from engine.domain.child_rights import RunRights, rights_of, values_of, within
from engine.domain.errors import user_error
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run, RunSpec, Sandbox, WorkspaceKind, WorkspaceSpec
from engine.system.environment import is_distrusted
from engine.system.files import real_path
from tui.models.run_defaults import workspace_from

if TYPE_CHECKING:
    from engine.engine import BatchPlan
    from engine.ports.engine import EnginePort

_ROUNDING = 1e-9
"""Costs are sums of fractions."""


async def inherit(
    engine: EnginePort, parent: str | None, spec: RunSpec, said: Collection[str], count: int = 1
) -> RunSpec:
    """Return a request for a child of `parent`, one of `count` at once, within its rights.

    `said` are the fields that were set. Raises `UserError` RIGHTS_EXCEEDED.
    """
    rights = await _rights(engine, parent, count)
    source = spec.workspace.source
    if source and source.startswith("/") and is_distrusted(source):
        rights = replace(rights, may_set_up=False)  # agents write there
    return replace(within(spec, said, rights), parent=parent)


async def inherit_all(engine: EnginePort, parent: str | None, plan: BatchPlan) -> BatchPlan:
    """Return the plan of a batch, each of its runs within the rights of `parent`."""
    count = len(plan.planned)
    planned = [
        replace(one, spec=await inherit(engine, parent, one.spec, (), count))
        for one in plan.planned
    ]
    return replace(plan, planned=tuple(planned))


async def check_next_attempt(engine: EnginePort, parent: str | None, run: Run) -> None:
    """Raise `UserError` RIGHTS_EXCEEDED if a child's next attempt may use more than is left.

    The part of its budget that an ended run has not used is free for other runs, which may have it.
    """
    if parent is None or run.id == parent:
        return
    above = await engine.find(parent)
    left = await _budget_left(engine, above)
    if left is None or left.is_percent:
        return
    budget = run.spec.budget
    used = _used(engine, run, left.unit)
    is_live = run.status in LIVE  # then its budget is in the sum already
    rest = budget.amount - used if budget and budget.unit is left.unit else math.inf
    if not is_live and rest > max(left.amount, 0) + _ROUNDING:
        message = f"The run {run.id} may use more than is left of the budget of {above.id}."
        raise user_error("RIGHTS_EXCEEDED", message)


async def _rights(engine: EnginePort, parent: str | None, count: int) -> RunRights:
    settings = engine.config.mcp
    if parent is None:
        sandbox = Sandbox(engine.config.codex.sandbox)
        usual = values_of(RunSpec("", "", ""), OF_AGENTS)
        may_verify = "verify" in settings.enable
        return RunRights(sandbox=sandbox, of_agent=usual, may_verify=may_verify, may_leave=True)
    above = await engine.find(parent)
    sources = None if "sources" in settings.enable else _sources(above)
    budget = await _budget_left(engine, above)
    if budget:
        share = budget.amount / count
        budget = Budget(int(share) if budget.is_tokens else share, budget.unit)
    rights = rights_of(above, sources, budget, OF_AGENTS)
    return replace(rights, may_verify="verify" in settings.enable)


def _sources(parent: Run) -> tuple[str, ...]:
    named = (parent.workspace and parent.workspace.source, parent.spec.workspace.source)
    return tuple({str(real_path(source)) for source in named if source and source[0] == "/"})


async def _budget_left(engine: EnginePort, parent: Run) -> Budget | None:
    """Return the part of a run's budget that neither it nor the runs below it have used.

    Runs below it that have not ended count with their whole budgets. Percent of a window cannot be
    divided: there the whole budget is the bound.
    """
    whole = parent.spec.budget
    if whole is None or whole.is_percent:
        return whole
    below = await engine.runs(below=parent.id)
    used = _used(engine, parent, whole.unit) + sum(
        max(_reserved(run, whole.unit), _used(engine, run, whole.unit)) for run in below
    )
    return Budget(whole.amount - used, whole.unit)


def _used(engine: EnginePort, run: Run, unit: BudgetUnit) -> float:
    if unit is BudgetUnit.TOKENS:
        return run.usage.input + run.usage.output
    return engine.costs.of_run(run) or 0.0


def _reserved(run: Run, unit: BudgetUnit) -> float:
    budget = run.spec.budget
    is_live = run.status in LIVE
    return budget.amount if is_live and budget and budget.unit is unit else 0.0


def of_parent(parent: Run) -> WorkspaceSpec:
    """Return the workspace of a run's child: like its own, from the same source."""
    made, wish = parent.workspace, parent.spec.workspace
    source = made.source if made else wish.source
    if wish.kind is WorkspaceKind.FROM_RUN or source is None:
        is_empty = wish.kind is WorkspaceKind.EMPTY
        return WorkspaceSpec() if is_empty else WorkspaceSpec(WorkspaceKind.FROM_RUN, parent.id)
    if wish.kind is WorkspaceKind.IN_PLACE:
        return workspace_from(real_path(source))
    return WorkspaceSpec(wish.kind, source)
