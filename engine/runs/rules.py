"""Approval rules of a home: the user's in the database, and those of settings files."""

from __future__ import annotations

from functools import partial

from engine.config.settings import Config
from engine.domain import approval_rules, rule_matching
from engine.domain.approval_rules import ApprovalRule, RuleOrigin, RuleScope, RuleUses
from engine.domain.errors import UserError, user_error
from engine.domain.interaction import Decision, RequestKind
from engine.domain.model import Run
from engine.store.rules import with_uses
from engine.store.store import Store


class ApprovalRules:
    """The rules that answer requests of agents."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._of_settings = [
            approval_rules.with_derived_id(rule)
            for one in config.approvals.rules
            for rule in one.rules()
        ]

    async def all(self) -> list[ApprovalRule]:
        """Return all rules with their uses."""
        rules = [*self._of_settings, *await self._store.rules.all()]
        uses = await self._store.rules.uses()
        return [with_uses(rule, uses.get(rule.id, RuleUses())) for rule in rules]

    def of_files(self, run: Run) -> list[ApprovalRule]:
        """Return the rules that settings files have for a run; its repository's only deny."""
        return [*self._of_settings, *map(partial(_of_repository, run), run.spec.preparation.denied)]

    async def add(self, rule: ApprovalRule) -> ApprovalRule:
        """Add a rule of the user; raises `UserError` for one that cannot be."""
        rule_matching.check(rule)
        if rule.origin is not RuleOrigin.USER or rule.scope is RuleScope.HOME:
            where = "Rules for every project are written in the settings: `approvals.rules`."
            raise user_error("INPUT_INVALID", "The rule is for every project.", where)
        return await self._store.rules.add(rule)

    async def remove(self, id: str) -> ApprovalRule:
        """Remove a rule of the user; raises `UserError` RULE_NOT_FOUND."""
        found = approval_rules.find(await self.all(), id)
        if isinstance(found, UserError):
            raise found
        if found.origin is not RuleOrigin.USER:
            where = "Remove it from `approvals.rules` there."
            raise user_error("INPUT_INVALID", "The rule is in a settings file.", where)
        return await self._store.rules.remove(id)


def _of_repository(run: Run, denied: tuple[str, str]) -> ApprovalRule:
    kind, text = denied
    match = tuple(text.split(".", 1)) if kind == RequestKind.TOOL else (text,)
    scope = (RuleScope.PROJECT, run.spec.project)
    kind_of_rule = RequestKind.read(kind)
    rule = ApprovalRule(kind_of_rule, match, *scope, Decision.DENY, origin=RuleOrigin.REPOSITORY)
    return approval_rules.with_derived_id(rule)
