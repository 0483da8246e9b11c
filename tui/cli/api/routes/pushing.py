"""Operations on remotes: push the branch of a run, and read its pull request."""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from litestar import post
from litestar.params import JSONBody
from msgspec import Meta

from engine.domain.errors import UserError, user_error
from engine.domain.run_json import run_json
from engine.engine import PullRequest, PushRequest
from engine.ports.engine import EnginePort
from tui.cli.api.answers import as_shape
from tui.cli.api.context import Context
from tui.cli.api.parameters import RunId
from tui.cli.api.requests import LongText, Text
from tui.cli.api.scopes import ADMIN
from tui.cli.json import PushedJson, RunJson
from tui.cli.json.base import ErrorInfoJson, Shape
from tui.cli.support.change_results import pushed_json


class PushBranchRequest(Shape):
    """Options of a push."""

    remote: Annotated[Text | None, Meta(description="remote; null: origin, or the only one")] = None
    branch: Annotated[Text | None, Meta(description="branch there; null: that of the run")] = None
    pr: Annotated[bool, Meta(description="open a pull request, if gh is installed")] = False
    draft: Annotated[bool, Meta(description="open it as a draft")] = False
    base: Annotated[Text | None, Meta(description="branch it is against")] = None
    title: Annotated[Text | None, Meta(description="its title; null: that of the run")] = None
    body: Annotated[LongText | None, Meta(description="its text; null: the last message")] = None


class UnreadPullRequestJson(Shape):
    """A run whose pull request could not be read, and the reason."""

    run: str
    error: ErrorInfoJson


class PullRequestsJson(Shape):
    """Runs whose pull requests were read, and those that could not be read."""

    runs: list[RunJson]
    errors: list[UnreadPullRequestJson]


@post(
    "/runs/{run:str}/push",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="push_run",
    summary="Push the branch of a run",
    tags=["changes"],
)
async def push_run(run: RunId, data: JSONBody[PushBranchRequest], context: Context) -> PushedJson:
    """Commit a run's changes on its branch and push that with git; no hook runs.

    Other commits of the branch on the remote are never overwritten.
    """
    known = await context.engine.find(run)
    request = await _pull_request(context.engine, known.id, data)
    wanted = PushRequest(data.remote, data.branch, request)
    done = await context.engine.pushes.push(known.id, wanted)
    return as_shape(PushedJson, pushed_json(done))


async def _pull_request(
    engine: EnginePort, run: str, data: PushBranchRequest
) -> PullRequest | None:
    if not data.pr:
        if data.draft or data.base or data.title is not None or data.body is not None:
            message = "draft, base, title and body go with pr."
            raise user_error("INPUT_INVALID", message, "Set `pr`, or leave them out.")
        return None
    draft = await engine.pushes.draft(run)
    title = draft.title if data.title is None else data.title.strip()
    if not title:
        raise user_error("INPUT_INVALID", "The title is empty: nothing was pushed.", "Write one.")
    body = draft.body if data.body is None else data.body
    return replace(draft, title=title, body=body, is_draft=data.draft, base=data.base or "")


@post(
    "/runs/{run:str}/pr",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="read_pull_request",
    summary="Read the pull request of a run",
    tags=["changes"],
)
async def read_pull_request(run: RunId, context: Context) -> RunJson:
    """Read the state, checks and review of a pull request with `gh`, and store them."""
    engine = context.engine
    found = await engine.pull_requests.refresh((await engine.find(run)).id)
    return as_shape(RunJson, run_json(found, time.time(), cost=engine.costs.of_run))


@post(
    "/pr",
    opt=ADMIN,
    status_code=HTTPStatus.OK,
    operation_id="read_pull_requests",
    summary="Read all open pull requests",
    tags=["changes"],
)
async def read_pull_requests(context: Context) -> PullRequestsJson:
    """Read the pull requests of all runs that are open; a failure costs only its own run."""
    engine, found = context.engine, PullRequestsJson([], [])
    for run in await engine.pull_requests.followed():
        try:
            now = await engine.pull_requests.refresh(run.id)
        except UserError as error:
            info = error.info
            shown = ErrorInfoJson(info.code, info.message, info.recovery, info.docs_url)
            found.errors.append(UnreadPullRequestJson(run.id, shown))
        else:
            told = run_json(now, time.time(), cost=engine.costs.of_run)
            found.runs.append(as_shape(RunJson, told))
    return found


HANDLERS = [push_run, read_pull_request, read_pull_requests]
