"""Operations on the inbox: list the requests of agents, and answer one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

from litestar import get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta, field

from engine.domain.answers import Values
from engine.domain.interaction import Decision, RequestAnswer
from engine.domain.run_json import request_json
from tui.cli.api.answers import as_shape, changed
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.scopes import ADMIN, READ, RUN
from tui.cli.json import InputRequestJson, RuleJson, RunJson
from tui.cli.json.base import Shape
from tui.cli.support import new_rules, open_requests
from tui.cli.support.bulk_answers import RequestSelection
from tui.cli.support.open_requests import OpenRequest

RequestId = Annotated[
    str, PathParameter(description="complete id of a request: RUN:ATTEMPT:NUMBER")
]
Runs = Annotated[list[str] | None, QueryParameter(name="run", description="only of these runs")]
Project = Annotated[str | None, QueryParameter(description="only of runs of this project")]
BatchName = Annotated[str | None, QueryParameter(name="batch", description="only of this batch")]
Digest = Annotated[
    str | None,
    Meta(
        description="digest of the request as it was shown; "
        "if it asks for something else by now, nothing is answered"
    ),
]
KINDS = Literal["command", "patch", "permissions", "tool"]
Kind = Annotated[KINDS | None, QueryParameter(description="only requests of this kind")]
Matching = Annotated[
    str | None,
    QueryParameter(description="only this command, patches below this path, or this SERVER.TOOL"),
]
DECISIONS = {"approve": Decision.APPROVE, "deny": Decision.DENY}
Choice = Literal["approve", "deny"]
ForDecision = Annotated[
    Choice,
    QueryParameter(
        name="for",
        description="the planned decision: `matching` compares strictly what is to be approved",
    ),
]


class ApprovalRequest(Shape):
    """An approval of a request."""

    digest: Digest = None


class DenialRequest(Shape):
    """A denial of a request."""

    message: Annotated[
        str, Meta(description="the agent reads it together with the denial, and goes on")
    ] = ""
    stop: Annotated[bool, Meta(description="end the agent's turn, too")] = False
    digest: Digest = None


class FieldAnswers(Shape):
    """Answers to the questions of an agent, or the values of a form."""

    values: Annotated[
        dict[str, str | list[str]],
        Meta(
            description="value or values by the name of the field; options by their value",
            examples=[{"colour": "blue"}],
        ),
    ] = field(default_factory=dict[str, str | list[str]])
    digest: Digest = None


class AlwaysRequest(Shape):
    """An answer to a request, and to later requests like it."""

    decision: Choice = "approve"
    scope: Annotated[
        Literal["run", "batch", "project"], Meta(description="where the rule holds")
    ] = "run"
    is_prefix: Annotated[bool, Meta(description="also answer what begins like it")] = False
    digest: Digest = None


@get("/inbox", opt=READ, operation_id="list_requests", summary="List open requests", tags=["inbox"])
async def list_requests(
    context: Context,
    run: Runs = None,
    project: Project = None,
    batch: BatchName = None,
    kind: Kind = None,
    matching: Matching = None,
    decision: ForDecision = "deny",
) -> list[InputRequestJson]:
    """Return what agents ask for, oldest first, each request whole.

    With `kind` or `matching`, only requests that are approved or denied, as `approve --all` has it.
    """
    engine, now = context.engine, time.time()
    selection = RequestSelection(kind, matching, project, batch, tuple(run or ()))
    if kind or matching:
        found = await selection.find(engine, DECISIONS[decision])
    else:
        found = await selection.all(engine)
    shown = [request_json(run, request, now) for run, request in found]
    return as_shape(list[InputRequestJson], shown)


@post(
    "/inbox/{request_id:str}/approve",
    opt=RUN,
    operation_id="approve_request",
    summary="Approve a request",
    tags=["inbox"],
    status_code=200,
)
async def approve_request(
    request_id: RequestId, context: Context, data: JSONBody[ApprovalRequest | None] = None
) -> list[RunJson]:
    """Approve what an agent asks for. An approved command runs outside the sandbox.

    A request that is no longer open, or whose digest is another, answers 409.
    """
    digest = data.digest if data else None
    return await _answer(context, request_id, Decision.APPROVE, digest)


@post(
    "/inbox/{request_id:str}/deny",
    opt=RUN,
    operation_id="deny_request",
    summary="Deny a request",
    tags=["inbox"],
    status_code=200,
)
async def deny_request(
    request_id: RequestId, context: Context, data: JSONBody[DenialRequest | None] = None
) -> list[RunJson]:
    """Deny what an agent asks for, with a message for it, or end its turn with `stop`."""
    asked = data or DenialRequest()
    decision = Decision.STOP if asked.stop else Decision.DENY
    if asked.stop and asked.message:
        raise new_rules.invalid(
            "`stop` takes no `message`: no turn is left that could read it.",
            "Leave one of them out.",
        )
    return await _answer(context, request_id, decision, asked.digest, asked.message)


@post(
    "/inbox/{request_id:str}/answer",
    opt=RUN,
    operation_id="answer_request",
    summary="Answer the questions of an agent",
    tags=["inbox"],
    status_code=200,
)
async def answer_request(
    request_id: RequestId, context: Context, data: JSONBody[FieldAnswers]
) -> list[RunJson]:
    """Answer questions or fill in a form; secret values go to the agent and are never recorded."""
    values = _values(data.values)
    return await _answer(context, request_id, Decision.ANSWER, data.digest, values=values)


@post(
    "/inbox/{request_id:str}/always",
    opt=ADMIN,
    operation_id="answer_always",
    summary="Answer a request and later ones like it",
    tags=["inbox"],
    status_code=201,
)
async def answer_always(
    request_id: RequestId, context: Context, data: JSONBody[AlwaysRequest]
) -> RuleJson:
    """Answer a request, and add a rule that answers later ones like it; returns the rule."""
    engine, decision = context.engine, DECISIONS[data.decision]
    run, request = await open_requests.find_one(engine, request_id)
    possible = engine.possible_rules(run, request)
    rule = new_rules.rule_for(possible, request, decision, data.scope, data.is_prefix)
    answered = _answered((run, request), decision, data.digest)
    added = await new_rules.add_and_answer(engine, rule, run, answered)
    await context.supervise()
    return as_shape(RuleJson, new_rules.rule_json(added))


async def _answer(
    context: ApiContext,
    name: str,
    decision: Decision,
    digest: str | None,
    text: str = "",
    values: Values | None = None,
) -> list[RunJson]:
    """Answer the open request of an id, and return its run."""
    found = await open_requests.find_one(context.engine, name)
    answered = _answered(found, decision, digest, text, values)
    run = await context.engine.answer(found[0].id, answered)
    await context.supervise()
    return await changed(context.engine, [run])


def _answered(
    found: OpenRequest,
    decision: Decision,
    digest: str | None,
    text: str = "",
    values: Values | None = None,
) -> RequestAnswer:
    """Return the answer to a request as the client saw it."""
    answered = open_requests.answer_to(found, decision, text, values)
    return answered if digest is None else replace(answered, digest=digest)


def _values(given: Mapping[str, str | list[str]]) -> Values:
    return {
        name: (value,) if isinstance(value, str) else tuple(value) for name, value in given.items()
    }


HANDLERS = [list_requests, approve_request, deny_request, answer_request, answer_always]
