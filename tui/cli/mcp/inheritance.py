"""The rights of runs that a client of the server starts."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from engine.config.run_options import OF_AGENTS
from engine.domain.budget import Budget, BudgetUnit
from engine.domain.child_rights import RunRights, rights_of, values_of, within
from engine.domain.errors import user_error
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run, RunSpec, Sandbox
from engine.system.environment import is_distrusted
from engine.system.files import real_path
from tui.cli.mcp.caller import Caller

_ROUNDING = 1e-9
"""Costs are sums of fractions."""


async def inherit(caller: Caller, spec: RunSpec, said: Collection[str], count: int = 1) -> RunSpec:
    """Return a request for a run, one of `count` at once, with the bounds of its sender.

    `said` are the fields that were set. Raises `UserError` RIGHTS_EXCEEDED.
    """
    rights = await _rights(caller, count)
    source = spec.workspace.source
    if source and source.startswith("/") and is_distrusted(source):
        rights = replace(rights, may_set_up=False)  # agents write there
    return replace(within(spec, said, rights), parent=caller.parent)


async def check_next_attempt(caller: Caller, run: Run) -> None:
    """Raise `UserError` RIGHTS_EXCEEDED if a child's next attempt may use more than is left.

    The part of its budget that an ended run has not used is free for other runs, which may have it.
    """
    if caller.parent is None or run.id == caller.parent:
        return
    parent = await caller.engine.find(caller.parent)
    left = await _budget_left(caller, parent)
    if left is None or left.is_percent:
        return
    budget = run.spec.budget
    used = _used(caller, run, left.unit)
    is_live = run.status in LIVE  # then its budget is in the sum already
    rest = budget.amount - used if budget and budget.unit is left.unit else math.inf
    if not is_live and rest > max(left.amount, 0) + _ROUNDING:
        message = f"The run {run.id} may use more than is left of the budget of {parent.id}."
        raise user_error("RIGHTS_EXCEEDED", message)


async def _rights(caller: Caller, count: int) -> RunRights:
    settings = caller.settings
    if caller.parent is None:
        sandbox = Sandbox(caller.engine.config.codex.sandbox)
        usual = values_of(RunSpec("", "", ""), OF_AGENTS)
        return RunRights(sandbox=sandbox, of_agent=usual, may_verify="verify" in settings.enable)
    parent = await caller.engine.find(caller.parent)
    sources = None if "sources" in settings.enable else _sources(parent)
    budget = await _budget_left(caller, parent)
    if budget:
        share = budget.amount / count
        budget = Budget(int(share) if budget.is_tokens else share, budget.unit)
    rights = rights_of(parent, sources, budget, OF_AGENTS)
    return replace(rights, may_verify="verify" in settings.enable)


def _sources(parent: Run) -> tuple[str, ...]:
    named = (parent.workspace and parent.workspace.source, parent.spec.workspace.source)
    return tuple({str(real_path(source)) for source in named if source and source[0] == "/"})


async def _budget_left(caller: Caller, parent: Run) -> Budget | None:
    """Return the part of a run's budget that neither it nor the runs below it have used.

    Runs below it that have not ended count with their whole budgets. Percent of a window cannot be
    divided: there the whole budget is the bound.
    """
    whole = parent.spec.budget
    if whole is None or whole.is_percent:
        return whole
    below = await caller.engine.runs(below=parent.id)
    used = _used(caller, parent, whole.unit) + sum(
        max(_reserved(run, whole.unit), _used(caller, run, whole.unit)) for run in below
    )
    return Budget(whole.amount - used, whole.unit)


def _used(caller: Caller, run: Run, unit: BudgetUnit) -> float:
    if unit is BudgetUnit.TOKENS:
        return run.usage.input + run.usage.output
    return caller.engine.costs.of_run(run) or 0.0


def _reserved(run: Run, unit: BudgetUnit) -> float:
    budget = run.spec.budget
    is_live = run.status in LIVE
    return budget.amount if is_live and budget and budget.unit is unit else 0.0
