"""Approval rules: answers to later requests, each decided by the user once.

`engine.domain.rule_matching` has the requests that a rule answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from engine.domain.errors import UserError, user_error
from engine.domain.interaction import Decision, RequestKind
from engine.domain.open_enum import OpenEnum
from engine.domain.record import record
from engine.domain.text import printable_name

DECIDED_BY = "rule:"
"""Begins the `decided_by` of an answer by a rule, before its id."""
LOOP_USES, LOOP_S = 20, 60.0
"""A rule that answers so many requests in so many seconds is reported."""


class RuleScope(OpenEnum):
    """The runs whose requests a rule answers."""

    RUN = "run"
    BATCH = "batch"
    PROJECT = "project"
    HOME = "home"


class RuleOrigin(OpenEnum):
    """The places where rules are written."""

    USER = "user"
    SETTINGS = "settings"
    REPOSITORY = "repository"


@record
class ApprovalRule:
    """A rule that answers requests.

    `match` is a command; the first words of one, with `is_prefix`; the path of a file, or of a
    folder with `is_prefix`; or the name of an MCP server and of its tool. A rule that denies a
    command names words that it contains. `scope_id` is the run, the batch or the project.
    """

    kind: RequestKind
    match: tuple[str, ...]
    scope: RuleScope
    scope_id: str
    decision: Decision
    is_prefix: bool = False
    origin: RuleOrigin = RuleOrigin.USER
    id: str = ""
    made_at: float | None = None
    uses: int = 0
    used_at: float | None = None

    @property
    def is_deny(self) -> bool:
        """Return whether it denies."""
        return self.decision is not Decision.APPROVE

    @property
    def words(self) -> str:
        """Return the rule as one sentence: what it answers, for which runs, until when."""
        verb = "Deny" if self.is_deny else "Approve"
        return f"{verb} {_subject(self)} {_scope(self)}, {_end(self)}."


@record
class RuleUses:
    """The uses of a rule: their number, the times of the latest, and of the last notice."""

    uses: int = 0
    latest: tuple[float, ...] = ()
    noticed_at: float | None = None


def used(uses: RuleUses, at: float) -> tuple[RuleUses, bool]:
    """Return the uses after one more, and whether a notice is due: it answers very often."""
    latest = (*uses.latest, at)[-LOOP_USES:]
    is_loop = len(latest) == LOOP_USES and at - latest[0] <= LOOP_S
    is_due = is_loop and (uses.noticed_at is None or uses.noticed_at < latest[0])
    noticed_at = at if is_loop else uses.noticed_at  # one notice, however long it goes on
    return RuleUses(uses.uses + 1, latest, noticed_at), is_due


def with_derived_id(rule: ApprovalRule) -> ApprovalRule:
    """Return a rule of a file with an id that follows from all that it is."""
    import hashlib  # only where a file has rules

    parts = [rule.origin, rule.kind, rule.match, rule.scope, rule.scope_id, rule.decision]
    mark = hashlib.sha256(json.dumps([*parts, rule.is_prefix]).encode()).hexdigest()
    return replace(rule, id=f"{rule.origin.value}-{mark[:8]}")


def find(rules: Iterable[ApprovalRule], id: str) -> ApprovalRule | UserError:
    """Return the rule with an id, or the error with the nearest one."""
    from engine.domain.nearest import ALMOST, hint

    known = {rule.id: rule for rule in rules}
    if rule := known.get(id):
        return rule
    near = hint(id, known, cutoff=ALMOST)
    return user_error("RULE_NOT_FOUND", f"There is no rule {printable_name(id[:100])}.{near}")


def _subject(rule: ApprovalRule) -> str:
    text = _quoted(" ".join(rule.match))
    match rule.kind:
        case RequestKind.COMMAND if rule.is_deny:
            return (
                f"each command that contains the words {text} in this order, "
                "also with others between or around them,"
            )
        case RequestKind.COMMAND if rule.is_prefix:
            return f"each simple command that begins with {text}, with any further arguments,"
        case RequestKind.COMMAND:
            return f"each run of exactly {text}"
        case RequestKind.PATCH:
            return _patch_subject(rule, text)
        case _:
            server, *tools = map(_quoted, rule.match)
            tool = f"the tool {tools[0]}" if tools else "any tool"
            return f"each call of {tool} of the MCP server {server}"


def _patch_subject(rule: ApprovalRule, text: str) -> str:
    if rule.is_deny:
        return f"each patch that changes {text} or a file below it"
    if not rule.is_prefix:
        return f"each patch that only changes the file {text}"
    where = "in the workspace" if rule.match == (".",) else f"below {text}"
    return f"each patch that only changes files {where}"


def _quoted(text: str) -> str:
    """Return a text in backquotes; one that has some itself cannot end its quotes."""
    text = printable_name(text)
    return json.dumps(text, ensure_ascii=False) if "`" in text else f"`{text}`"


def _scope(rule: ApprovalRule) -> str:
    name = printable_name(rule.scope_id)
    words = {
        RuleScope.RUN: f"in the run {name}",
        RuleScope.BATCH: f"in the batch {name}",
        RuleScope.PROJECT: f"in project {name}",
    }
    return words.get(rule.scope, "in every project")


def _end(rule: ApprovalRule) -> str:
    if rule.origin is RuleOrigin.SETTINGS:
        return "as long as your settings have the rule"
    if rule.origin is RuleOrigin.REPOSITORY:
        return "as the settings of its repository ask"
    ends = {
        RuleScope.RUN: "until the run ends",
        RuleScope.BATCH: "until all runs of the batch have ended",
    }
    return ends.get(rule.scope, "until you remove the rule")
