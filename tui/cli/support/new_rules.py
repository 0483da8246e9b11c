"""New approval rules on the command line: their words come first, then the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.errors import UserError, user_error
from engine.domain.interaction import Decision, InputRequest, RequestAnswer
from engine.domain.model import Run
from engine.domain.run_json import request_id
from tui.cli.support import bulk_answers, failure, open_requests, output, session

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


async def answer_always(
    engine: EnginePort,
    name: str,
    decision: Decision,
    scope: str,
    *,
    is_prefix: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Answer a request, and each later one that is like it; return the exit code."""
    run, request = await open_requests.find_one(engine, name)
    rule = rule_for(engine.possible_rules(run, request), request, decision, scope, is_prefix)
    show = output.say_aside if as_json else output.say
    show(rule.words)
    if not yes and not bulk_answers.confirm("Add this rule?", "Use --yes."):
        return failure.EXIT_CANCELLED
    added = await add_and_answer(
        engine, rule, run, open_requests.answer_to((run, request), decision)
    )
    session.go_on(engine.paths)
    if as_json:
        output.say_json(rule_json(added))
    else:
        output.say(f"{request_id(run, request)} {bulk_answers.WORDS[decision]}")
        output.say(f"rule {added.id} added")
    return 0


async def add_and_answer(
    engine: EnginePort, rule: ApprovalRule, run: Run, answered: RequestAnswer
) -> ApprovalRule:
    """Answer a request, then add the rule that answers later ones; return the rule."""
    # First the request itself: one that is not open any more makes no rule.
    await engine.answer(run.id, answered)
    return await engine.add_rule(rule)


def rule_for(
    possible: Sequence[ApprovalRule],
    request: InputRequest,
    decision: Decision,
    scope: str,
    is_prefix: bool,
) -> ApprovalRule:
    """Return the one of the possible rules that was chosen; raises `UserError`."""
    fitting = [rule for rule in possible if rule.decision is decision]
    of_scope = [rule for rule in fitting if rule.scope == scope]
    if fitting and not of_scope:
        raise user_error("INPUT_INVALID", "The run is not part of a batch.", "Use --for project.")
    for rule in of_scope:
        if rule.is_prefix == is_prefix:
            return rule
    if is_prefix and of_scope:
        why = "The command is not a simple one, or its program can run any other."
        raise user_error("INPUT_INVALID", why, "Make a rule for exactly this without --prefix.")
    if of_scope:
        why = "The request asks for several files."
        raise user_error("INPUT_INVALID", why, "Make a rule for their folder with --prefix.")
    raise user_error("INPUT_INVALID", _refusal(request), "Answer each such request by itself.")


def _refusal(request: InputRequest) -> str:
    kind = request.kind.value if request.kind else "unknown"
    return (
        f"No rule can answer this request of the kind {kind}: it asks for more than one thing, "
        "has characters that cannot be seen, or leads out of the workspace."
    )


def rule_json(rule: ApprovalRule) -> dict[str, Any]:
    """Return a rule as the JSON object of the public contract."""
    from dataclasses import asdict

    from engine.domain.events import iso
    from engine.domain.rule_matching import problem

    def time_of(at: float | None) -> str | None:
        return None if at is None else iso(at)

    return {
        **asdict(rule),
        "words": rule.words,
        "problem": problem(rule) or None,
        "made_at": time_of(rule.made_at),
        "used_at": time_of(rule.used_at),
    }


def invalid(message: str, recovery: str = "") -> UserError:
    """Return the error of a rule or an answer that is invalid."""
    return user_error("INPUT_INVALID", message, recovery)


async def make_rule(engine: EnginePort, wanted: ApprovalRule) -> ApprovalRule:
    """Return a rule as it was written, with the id of its run or batch; raises `UserError`."""
    from engine.domain import rule_matching

    name = wanted.scope_id
    if wanted.scope is RuleScope.RUN:
        name = (await engine.find(name)).id
    elif wanted.scope is RuleScope.BATCH:
        name = (await engine.swarms.find(name)).id
    kind, decision, is_prefix = wanted.kind, wanted.decision, wanted.is_prefix
    match = rule_matching.match_of(kind, wanted.match, decision, is_prefix=is_prefix)
    rule = replace(wanted, match=match, scope_id=name)
    rule_matching.check(rule)
    return rule
