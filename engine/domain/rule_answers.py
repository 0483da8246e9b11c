"""Answers by rules, decided on runs as they are stored; each use is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.domain import approval_rules, requests, rule_matching
from engine.domain.approval_rules import DECIDED_BY, ApprovalRule, RuleUses
from engine.domain.errors import UserError
from engine.domain.events import Body, Notice
from engine.domain.interaction import InputRequest, RequestAnswer
from engine.domain.model import Run

RulesOf = Callable[[Run], Sequence[ApprovalRule]]
"""Returns the rules that are written elsewhere than in the database, for a run."""


class RuleAnswers:
    """The answers of one transaction, and the uses of rules after it."""

    def __init__(
        self,
        rules: Sequence[ApprovalRule],
        others: RulesOf,
        uses: Mapping[str, RuleUses],
        at: float,
    ) -> None:
        self._rules = rules
        self._others = others
        self._uses = uses
        self._at = at
        self.used: dict[str, RuleUses] = {}
        """The new uses of the rules that answered."""

    def decide(self, run: Run) -> Sequence[Body]:
        """Return the answers to the open requests of a run that a rule decides."""
        bodies: list[Body] = []
        for request in run.unanswered:
            rule = self.rule_for(run, request)
            bodies += self._answered(run, request, rule) if rule else ()
        return bodies

    def decide_or_leave(self, run: Run) -> Sequence[Body]:
        """Return the same; after a fault, nothing: the request stays open for `RuleApplier`.

        That reports the fault. Here it would keep the output of the run from being stored.
        """
        before = dict(self.used)
        try:
            return self.decide(run)
        except Exception:
            self.used = before
            return ()

    def rule_for(self, run: Run, request: InputRequest) -> ApprovalRule | None:
        """Return the rule that answers a request."""
        return rule_matching.decide(run, request, [*self._rules, *self._others(run)])

    def _answered(self, run: Run, request: InputRequest, rule: ApprovalRule) -> Sequence[Body]:
        answer = RequestAnswer(run.attempt, request.request, request.digest, rule.decision)
        try:
            answered = requests.answer(run, answer, decided_by=f"{DECIDED_BY}{rule.id}")
        except UserError:  # the run is ending: nothing is to be answered any more
            return ()
        before = self.used.get(rule.id) or self._uses.get(rule.id) or RuleUses()
        self.used[rule.id], is_loop = approval_rules.used(before, self._at)
        return [*answered, _often(rule)] if is_loop else answered


def _often(rule: ApprovalRule) -> Notice:
    count, limit_s = approval_rules.LOOP_USES, round(approval_rules.LOOP_S)
    text = f"rule {rule.id} answered {count} requests within {limit_s} s: {rule.words}"
    return Notice("warning", text)
