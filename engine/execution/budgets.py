"""Shared token budgets of batches, checked while any of their runs is live."""

from __future__ import annotations

import time

from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from engine.domain.projection import View
from engine.store.store import Store

LOOK_S = 1.0


class Budgets:
    """The budgets of live batches, as they are stored now; anybody may raise one."""

    def __init__(self, store: Store, view: View) -> None:
        self._store = store
        self._view = view
        self._known: dict[str, int] = {}
        self._spent: dict[str, int] = {}
        self._looked_at = 0.0

    async def refresh(self, *, at_once: bool = False) -> None:
        """Read the budgets and their usage again, at most once a second or `at_once`."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_S and not at_once:
            return
        self._looked_at = now
        live = self._view.live_batches
        found = await self._store.batches(live) if live else []
        self._known = {it.id: it.budget_tokens for it in found if it.budget_tokens is not None}
        self._spent = {batch: self._used(batch) for batch in self._known}

    def exceeded(self, run: Run) -> UserError | None:
        """Return the error if the batch of a run has used up its budget."""
        batch = run.spec.batch or ""
        budget, spent = self._known.get(batch), self._spent.get(batch, 0)
        if budget is None or spent <= budget:
            return None
        return user_error(
            "BUDGET_EXCEEDED",
            f"The batch {batch} used {spent} tokens, more than its budget of {budget}.",
            f"Raise it and go on: `swarm-tui batch retry {batch} --total-budget TOKENS`.",
        )

    def _used(self, batch: str) -> int:
        usages = [run.usage for run in self._view.batch(batch)]
        return sum(usage.input + usage.output for usage in usages)
