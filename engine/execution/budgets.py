"""Budgets of runs and the shared ones of batches, checked while any of the runs is live.

A budget in tokens of a run is checked by the watchdog. All others need the ledger or prices.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from engine.domain.batch import Batch
from engine.domain.budget import Budget, BudgetUnit, over_words, written
from engine.domain.errors import UserError, user_error
from engine.domain.events import Notice
from engine.domain.model import Run
from engine.domain.projection import View
from engine.domain.text import printable_name
from engine.store.appending import AppendRequest
from engine.store.store import Store
from engine.usage.budget_meter import BudgetMeter
from engine.usage.run_costs import model_of

LOOK_S = 1.0
Commit = Callable[[Sequence[AppendRequest]], Awaitable[object]]


class Budgets:
    """The budgets of live runs and batches, as they are stored now; a shared one may be raised."""

    def __init__(self, store: Store, view: View, meter: BudgetMeter, commit: Commit) -> None:
        self._store = store
        self._view = view
        self._meter = meter
        self._commit = commit
        self._known: dict[str, Budget] = {}
        self._spent: dict[str, float] = {}
        self._used: dict[str, float] = {}
        """The use of the budgets that active runs have of their own, other than in tokens."""
        self._unpriced: set[str] = set()
        """Runs with a notice that their budget cannot be checked."""
        self._looked_at = 0.0

    async def refresh(self, *, at_once: bool = False) -> None:
        """Read the budgets and their usage again, at most once a second or `at_once`."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_S and not at_once:
            return
        self._looked_at = now
        live = self._view.live_batches
        found = await self._store.batches(live) if live else []
        shared = {it.id: it for it in found if it.budget is not None}
        spent = {batch: await self._spent_of(it) for batch, it in shared.items()}
        used = {run.id: await self._used_by(run) for run in self._view.active() if _is_own(run)}
        self._known = {batch: it.budget for batch, it in shared.items() if it.budget}
        self._spent = {batch: amount for batch, amount in spent.items() if amount is not None}
        self._used = {run: amount for run, amount in used.items() if amount is not None}

    def exceeded(self, run: Run) -> UserError | None:
        """Return the error if a run, or its batch, has used up its budget."""
        own = run.spec.budget
        used = self._used.get(run.id, 0.0)
        if own and used > own.amount:
            return user_error("BUDGET_EXCEEDED", f"The run {over_words(used, own)}.")
        batch = run.spec.batch or ""
        budget, spent = self._known.get(batch), self._spent.get(batch, 0.0)
        if budget is None or spent <= budget.amount:
            return None
        return user_error(
            "BUDGET_EXCEEDED",
            f"The batch {batch} {over_words(spent, budget)}.",
            f"Raise it and go on: `swarm-tui batch retry {batch} --total-budget AMOUNT`.",
        )

    async def _spent_of(self, batch: Batch) -> float | None:
        runs = self._view.batch(batch.id)
        if batch.budget and batch.budget.unit is BudgetUnit.USD:
            for run in runs:
                await self._warn(run, batch.budget)
        return batch.budget and await self._meter.used(batch.budget, runs, batch.created_at)

    async def _used_by(self, run: Run) -> float | None:
        budget = run.spec.budget
        if budget is None:
            return None
        if budget.unit is BudgetUnit.USD:
            await self._warn(run, budget)
        began = run.started_at if run.attempt <= 1 else None
        return await self._meter.used(budget, [run], began or run.created_at)

    async def _warn(self, run: Run, budget: Budget) -> None:
        """Notify once of a run whose budget in money cannot be checked: its model has no price."""
        await self._meter.load_prices()
        tokens = run.usage.input + run.usage.output
        if run.id in self._unpriced or not tokens or self._meter.cost(run) is not None:
            return
        self._unpriced.add(run.id)
        model = printable_name(model_of(run)) or "that it uses"
        amount = written(budget)
        text = f"no price is known for the model {model}: the budget of {amount} does not count it"
        await self._commit([AppendRequest(run.id, [Notice("warning", text)])])


def _is_own(run: Run) -> bool:
    return run.spec.budget is not None and not run.spec.budget.is_tokens
