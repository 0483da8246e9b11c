"""Rules applied to the open requests of all runs, by the engine that supervises."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine.domain.events import Event
from engine.domain.interaction import InputRequest, RequestPhase
from engine.domain.projection import View
from engine.domain.rule_answers import RuleAnswers, RulesOf
from engine.execution.journal import Journal
from engine.store.store import Store


class RuleApplier:
    """Applies rules when a request is raised, when a rule is added, and after a takeover."""

    def __init__(self, view: View, store: Store, journal: Journal, others: RulesOf) -> None:
        self._view = view
        self._store = store
        self._journal = journal
        self._others = others
        self._due = asyncio.Event()

    def notify(self, events: Sequence[Event]) -> None:
        """Take note of events; without any, the rules may have changed."""
        if not events or any(_is_raised(event) for event in events):
            self._due.set()

    async def run(self) -> None:
        """Apply rules until cancelled; first to what was raised while no engine supervised.

        Meanwhile the store answers in the transaction that raises a request, where it can.
        """
        self._store.rules_of = self._others
        try:
            while True:
                self._due.clear()
                await self._apply()
                await self._due.wait()
        finally:
            self._store.rules_of = None

    async def _apply(self) -> None:
        asking = [run for run in self._view.active() if run.unanswered]
        if not asking:
            return
        known = RuleAnswers(await self._store.rules.all(), self._others, {}, 0.0)
        errors: list[Exception] = []
        matched: list[str] = []
        for run in asking:
            try:
                if any(known.rule_for(run, request) for request in run.unanswered):
                    matched.append(run.id)
            except Exception as error:
                errors.append(error)
        errors += await self._answer(matched) if matched else ()
        if errors:
            raise errors[0]  # all others are answered; the task reports it and tries again

    async def _answer(self, runs: Sequence[str]) -> list[Exception]:
        """Answer requests of these runs; return the faults, each of them of one run alone."""
        try:
            await self._journal.answer_by_rules(runs, self._others)
        except Exception as error:
            if len(runs) == 1:
                return [error]
            return [fault for run in runs for fault in await self._answer([run])]
        return []


def _is_raised(event: Event) -> bool:
    body = event.body
    return isinstance(body, InputRequest) and body.phase is RequestPhase.RAISED
