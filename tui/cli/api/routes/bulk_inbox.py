"""Operations on many requests of agents at once: approve and deny those that were shown."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from litestar import post
from litestar.params import JSONBody
from msgspec import Meta, field

from engine.domain.errors import UserError
from engine.domain.interaction import Decision
from engine.domain.model import Run
from tui.cli.api.answers import changed
from tui.cli.api.context import ApiContext, Context
from tui.cli.api.scopes import RUN
from tui.cli.json import RunJson
from tui.cli.json.base import Shape
from tui.cli.support import new_rules, open_requests
from tui.cli.support.bulk_answers import RequestSelection
from tui.cli.support.open_requests import OpenRequest

MOST = 1000
"""Ids and digests of one request."""
none = partial(field, default_factory=list[str])
Names = Annotated[list[str], Meta(max_length=MOST)]


class RequestsChoice(Shape, kw_only=True):
    """The open requests to answer: by their ids, or all that are equal to one that was shown."""

    requests: Annotated[Names, Meta(description="complete ids: RUN:ATTEMPT:NUMBER")] = none()
    digests: Annotated[Names, Meta(description="all open requests with one of these")] = none()
    project: Annotated[
        str | None, Meta(description="with `digests`: only of runs of this project")
    ] = None
    batch: Annotated[str | None, Meta(description="with `digests`: only of this batch")] = None


class DenialOfMany(RequestsChoice, kw_only=True):
    """The open requests to deny."""

    message: Annotated[str, Meta(description="the agents read it together with the denial")] = ""
    stop: Annotated[bool, Meta(description="end the turns of the agents, too")] = False


@post(
    "/inbox/approve",
    opt=RUN,
    operation_id="approve_requests",
    summary="Approve several requests",
    tags=["inbox"],
    status_code=200,
)
async def approve_requests(context: Context, data: JSONBody[RequestsChoice]) -> list[RunJson]:
    """Approve requests as they were shown; returns the runs of those that were answered.

    A request that was answered meanwhile is left out; the inbox has those that are still open.
    """
    return await _answer_all(context, data, Decision.APPROVE)


@post(
    "/inbox/deny",
    opt=RUN,
    operation_id="deny_requests",
    summary="Deny several requests",
    tags=["inbox"],
    status_code=200,
)
async def deny_requests(context: Context, data: JSONBody[DenialOfMany]) -> list[RunJson]:
    """Deny requests as they were shown; returns the runs of those that were answered."""
    if data.stop and data.message:
        raise new_rules.invalid(
            "`stop` takes no `message`: no turn is left that could read it.",
            "Leave one of them out.",
        )
    decision = Decision.STOP if data.stop else Decision.DENY
    return await _answer_all(context, data, decision, data.message)


async def _answer_all(
    context: ApiContext, asked: RequestsChoice, decision: Decision, text: str = ""
) -> list[RunJson]:
    """Answer the chosen requests in one step; raises `UserError` where none was answered."""
    engine = context.engine
    found = await _chosen(context, asked, decision)
    answers = [(run.id, open_requests.answer_to((run, one), decision, text)) for run, one in found]
    results = await engine.answer_all(answers)
    await context.supervise()
    runs = {one.id: one for one in results if isinstance(one, Run)}
    errors = [one for one in results if isinstance(one, UserError)]
    if errors and not runs:
        raise errors[0]
    return await changed(engine, list(runs.values()))


async def _chosen(
    context: ApiContext, asked: RequestsChoice, decision: Decision
) -> Sequence[OpenRequest]:
    """Return the requests that were named, each once; raises `UserError` where none is named."""
    if not (asked.requests or asked.digests):
        raise new_rules.invalid(
            "No request is named.", "Name `requests` by their ids, or `digests` of the inbox."
        )
    engine = context.engine
    # All are found before the first is answered.
    named = [await open_requests.find_one(engine, name) for name in asked.requests]
    selection = RequestSelection(project=asked.project, batch=asked.batch)
    shown = await selection.find(engine, decision) if asked.digests else []
    digests = set(asked.digests) - {""}
    equal = [one for one in shown if one[1].digest in digests]
    return list({(run.id, one.request): (run, one) for run, one in [*named, *equal]}.values())


HANDLERS = [approve_requests, deny_requests]
