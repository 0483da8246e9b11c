"""`swarm-tui rules`: the rules that answer requests of agents."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.interaction import Decision, RequestKind
from tui.cli.support import argument_completion, output
from tui.cli.support.options import (
    BatchParam,
    ChoiceParam,
    ProjectParam,
    RunParam,
    TextParam,
    everywhere,
    examples,
    is_live,
    json_option,
)

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

ACTIONS = ("list", "add", "remove")
KINDS = (RequestKind.COMMAND, RequestKind.PATCH, RequestKind.TOOL)
SCOPES = (RuleScope.PROJECT, RuleScope.BATCH, RuleScope.RUN)


@click.command(
    epilog=examples(
        "rules",
        "rules add 'npm ci' --project shop",
        "rules add 'npm run' --prefix --project shop",
        "rules add 'git push' --deny --project shop",
        "rules add docs --kind patch --prefix --run @last",
        "rules add lab deploy --kind tool --project shop",
        "rules remove r4k2m9x",
    )
)
@click.argument("action", type=ChoiceParam(ACTIONS), default="list", metavar="[list|add|remove]")
@click.argument(
    "words",
    type=TextParam(),
    nargs=-1,
    metavar="[TEXT...|RULE...]",
    shell_complete=argument_completion.rules,
)
@click.option("--deny", is_flag=True, help="Deny instead of approve, wherever TEXT occurs.")
@click.option("--prefix", "is_prefix", is_flag=True, help="TEXT is how the command or path begins.")
@click.option("--kind", type=ChoiceParam(KINDS), default="command", help="The kind of requests.")
@click.option("--project", type=ProjectParam(), help="For the runs of a project.")
@click.option("--batch", type=BatchParam(), help="For the runs of a batch, until they have ended.")
@click.option("--run", type=RunParam(is_live), help="For a run, until it ends.")
@click.option("-y", "--yes", is_flag=True, help="Add the rule without asking.")
@json_option("Print JSON: an array of rules with list and remove, with add the rule.")
@everywhere()
def rules(action: str, words: tuple[str, ...], as_json: bool, **options: Any) -> int:  # noqa: ANN401  click passes options by name
    """List, add or remove the rules that answer requests of agents.

    TEXT is the whole command, or with --kind the path of a file, or an MCP server and its tool.
    A new rule is shown in words first; it answers open requests, too.
    """
    from tui.cli.support import session

    if action == "list" and words:
        raise click.UsageError("list takes no name.")
    if action != "list" and not words:
        raise click.UsageError(f"{action} needs {'a TEXT' if action == 'add' else 'a RULE'}.")
    if action == "add":
        if [bool(options[scope.value]) for scope in SCOPES].count(True) != 1:
            raise click.UsageError("add needs one of --project, --batch and --run.")
        if len(words) != (2 if options["kind"] == "tool" else 1):
            raise click.UsageError("Quote a TEXT with spaces; a tool is its server and its name.")
    return session.start(_rules(action, words, options, as_json=as_json))


async def _rules(
    action: str, words: tuple[str, ...], options: dict[str, Any], *, as_json: bool
) -> int:
    from tui.cli.support import session
    from tui.cli.support.new_rules import rule_json

    async with session.open_engine() as engine:
        if action == "add":
            return await _add(engine, words, options, as_json=as_json)
        if action == "remove":
            found = [await engine.remove_rule(name) for name in dict.fromkeys(words)]
        else:
            found = await engine.rules()
    if as_json:
        output.say_json([rule_json(rule) for rule in found])
    elif action == "remove":
        output.say("\n".join(f"rule {rule.id} removed" for rule in found))
    else:
        output.say("\n".join(_lines(found, time.time())) or "there are no rules")
    return 0


async def _add(
    engine: EnginePort, words: tuple[str, ...], options: dict[str, Any], *, as_json: bool
) -> int:
    from tui.cli.support import bulk_answers, failure, session
    from tui.cli.support.new_rules import make_rule, rule_json

    scope = next(scope for scope in SCOPES if options[scope.value])
    decision = Decision.DENY if options["deny"] else Decision.APPROVE
    kind, is_prefix = RequestKind(options["kind"]), bool(options["is_prefix"])
    wanted = ApprovalRule(kind, words, scope, options[scope.value], decision, is_prefix)
    rule = await make_rule(engine, wanted)
    show = output.say_aside if as_json else output.say
    show(rule.words)
    if not options["yes"] and not bulk_answers.confirm("Add this rule?", "Use --yes."):
        return failure.EXIT_CANCELLED
    added = await engine.add_rule(rule)
    session.go_on(engine.paths)  # a supervisor answers what is open
    if as_json:
        output.say_json(rule_json(added))
    else:
        output.say(f"rule {added.id} added")
    return 0


def _lines(found: Sequence[ApprovalRule], now: float) -> list[str]:
    from engine.domain.rule_matching import problem
    from tui import formatting

    lines: list[str] = []
    for rule in found:
        last = "" if rule.used_at is None else f", last {formatting.age(now - rule.used_at)} ago"
        used = f"used {rule.uses}×{last}" if rule.uses else "not used yet"
        refused = problem(rule)  # by a later version than the one that stored it
        off = f"  Answers nothing: {refused}" if refused else ""
        lines.append(f"{rule.id}  {rule.words}  ({used}){off}")
    return lines
