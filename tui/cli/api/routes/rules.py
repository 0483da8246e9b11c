"""Operations on the rules that answer requests of agents."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import delete, get, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from engine.domain.approval_rules import ApprovalRule, RuleScope
from engine.domain.interaction import Decision, RequestKind
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.scopes import ADMIN, READ
from tui.cli.json import RuleJson
from tui.cli.json.base import Shape
from tui.cli.support.new_rules import invalid, make_rule, rule_json

RuleId = Annotated[str, PathParameter(description="id of a rule")]


class RuleRequest(Shape, kw_only=True):
    """A rule for requests of agents, with the keys of the rules that are listed."""

    match: Annotated[
        list[str],
        Meta(
            min_length=1,
            max_length=200,
            description="the whole command as one text, its first words with `is_prefix`, "
            "the path of a file, or an MCP server and its tool",
            examples=[["npm ci"]],
        ),
    ]
    kind: Literal["command", "patch", "tool"] = "command"
    scope: Literal["run", "batch", "project"]
    scope_id: Annotated[str, Meta(description="the run, the batch or the project")]
    decision: Literal["approve", "deny"] = "approve"
    is_prefix: Annotated[bool, Meta(description="`match` is how the command or path begins")] = (
        False
    )


@get("/rules", opt=READ, operation_id="list_rules", summary="List the rules", tags=["inbox"])
async def list_rules(context: Context) -> list[RuleJson]:
    """Return the rules that answer requests of agents, with their uses."""
    found = [rule_json(rule) for rule in await context.engine.rules()]
    return as_shape(list[RuleJson], found)


@post(
    "/rules",
    opt=ADMIN,
    operation_id="add_rule",
    summary="Add a rule",
    tags=["inbox"],
    status_code=201,
)
async def add_rule(context: Context, data: JSONBody[RuleRequest]) -> RuleJson:
    """Add a rule for a run, a batch or a project; it answers equal requests that are open, too."""
    is_beginning = data.kind == "command" and data.is_prefix
    if not is_beginning and len(data.match) != (2 if data.kind == "tool" else 1):
        raise invalid("`match` has one text; a tool has its server and its name.")
    wanted = ApprovalRule(
        RequestKind(data.kind),
        (" ".join(data.match),) if is_beginning else tuple(data.match),
        RuleScope(data.scope),
        data.scope_id,
        Decision(data.decision),
        data.is_prefix,
    )
    added = await context.engine.add_rule(await make_rule(context.engine, wanted))
    await context.supervise()
    return as_shape(RuleJson, rule_json(added))


@delete(
    "/rules/{rule:str}",
    opt=ADMIN,
    operation_id="remove_rule",
    summary="Remove a rule",
    tags=["inbox"],
    status_code=200,
)
async def remove_rule(rule: RuleId, context: Context) -> list[RuleJson]:
    """Remove a rule: it answers nothing from the next request on. Returns the removed rule."""
    return as_shape(list[RuleJson], [rule_json(await context.engine.remove_rule(rule))])


HANDLERS = [list_rules, add_rule, remove_rule]
