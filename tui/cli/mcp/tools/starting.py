"""Tools that start runs: one, or a batch."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, structs

from engine.domain.model import Sandbox
from engine.engine import BatchRequest
from tui.cli.api.scopes import Scope
from tui.cli.mcp import results
from tui.cli.mcp.bounds import bounded
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.fields import RunName, ShortText, Text
from tui.cli.mcp.run_briefs import brief, briefs
from tui.cli.mcp.source_folder import with_workspace
from tui.cli.mcp.tool import McpTool, ToolArguments, ToolHints
from tui.cli.support import run_request
from tui.cli.support.child_runs import inherit, inherit_all
from tui.cli.support.run_request import RunRequest
from tui.cli.support.session import ensure_supervision

Folder = Annotated[str, Meta(min_length=1, max_length=4096)]
Rows = Annotated[list[Annotated[str, Meta(max_length=10_000)]], Meta(min_length=1, max_length=100)]

Matrix = Annotated[dict[str, Rows], Meta(max_length=10)]
Parameters = Annotated[dict[str, str], Meta(max_length=100)]
Retries = Annotated[int, Meta(ge=0, le=10)]


class RunOptionArguments(ToolArguments):
    """The options of new runs."""

    title: Annotated[ShortText | None, Meta(description="title in lists")] = None
    project: Annotated[ShortText | None, Meta(description="label of the group")] = None
    worktree: Annotated[
        Folder | None,
        Meta(description="work in a git worktree of this repository (absolute path)"),
    ] = None
    copy: Annotated[
        Folder | None, Meta(description="work in a copy of this folder (absolute path)")
    ] = None
    empty: Annotated[bool, Meta(description="work in a new, empty folder")] = False
    from_run: Annotated[
        RunName | None, Meta(description="work in a copy of this run's current workspace")
    ] = None
    base: Annotated[ShortText | None, Meta(description="branch, tag or commit of a worktree")] = (
        None
    )
    on: Annotated[
        ShortText | None,
        Meta(
            description="machine to work on: local, any, or the name of a node; runs of agents "
            "work on this machine"
        ),
    ] = None
    model: Annotated[ShortText | None, Meta(description="model of the agent")] = None
    sandbox: Annotated[
        Sandbox | None, Meta(description="what its commands may write; never looser than yours")
    ] = None
    timeout: Annotated[ShortText | None, Meta(description="time limit: 90s, 30m, 2h")] = None
    retries: Annotated[Retries | None, Meta(description="attempts after a failure")] = None
    budget: Annotated[
        ShortText | None, Meta(description="most that it may use: 200k tokens, $5")
    ] = None
    after: Annotated[
        tuple[RunName, ...],
        Meta(max_length=50, description="start when these runs have succeeded"),
    ] = ()
    verify: Annotated[
        Text | None,
        Meta(description="command that decides about success; if enabled"),
    ] = None
    template: Annotated[ShortText | None, Meta(description="use this template")] = None
    params: Annotated[Parameters | None, Meta(description="parameters of the template")] = None


class StartRunArguments(RunOptionArguments, kw_only=True):
    """Arguments of `start_run`."""

    prompt: Annotated[Text, Meta(description="the whole task: the agent knows nothing else")]


class StartBatchArguments(RunOptionArguments, kw_only=True):
    """Arguments of `start_batch`."""

    prompt: Annotated[Text, Meta(description="the task; it may name columns: {{ file }}")]
    matrix: Annotated[
        Matrix | None,
        Meta(description="values by column: one run for each combination"),
    ] = None
    count: Annotated[int, Meta(ge=1, le=20, description="copies of each: best of N")] = 1
    name: Annotated[ShortText | None, Meta(description="name of the batch")] = None


async def start_run(caller: Caller, asked: StartRunArguments) -> dict[str, Any]:
    """Start a run, and return it as a short object."""
    engine = caller.engine
    request = await _request(caller, asked)
    spec = await run_request.to_spec(engine, request, may_trust=False)
    async with caller.starting:
        spec = await inherit(engine, caller.parent, spec, _said(request))
        run = await engine.start(spec)
    await ensure_supervision(engine)
    return {"run": await brief(engine, run)}


async def start_batch(caller: Caller, asked: StartBatchArguments) -> dict[str, Any]:
    """Start a batch, and return its runs as short objects."""
    engine = caller.engine
    request = await _request(caller, asked)
    said = _said(request)
    spec = await run_request.make_spec(engine, request)
    await inherit(engine, caller.parent, spec, said)  # refuses it before anything is read
    plan = await engine.swarms.plan(
        BatchRequest(
            spec,
            said=frozenset(said),
            template=asked.template,
            params=asked.params or {},
            matrix=asked.matrix or {},
            count=asked.count,
            name=asked.name,
            is_sent=True,
        )
    )
    async with caller.starting:  # a template or a column may have set more
        plan = await inherit_all(engine, caller.parent, plan)
        batch, runs = await engine.swarms.start(plan)
    await ensure_supervision(engine)
    return bounded({"batch": batch.id, "runs": await briefs(engine, runs)})


async def _request(caller: Caller, asked: RunOptionArguments) -> RunRequest:
    """Return the request as JSON has it, with a workspace."""
    own = {"matrix", "count", "name"}
    given = {key: value for key, value in structs.asdict(asked).items() if key not in own}
    given["after"] = [(await caller.find(name)).id for name in asked.after] or None
    return await with_workspace(caller, RunRequest(**given))


def _said(request: RunRequest) -> set[str]:
    return set(run_request.given_fields(request))


STARTS = ToolHints()

TOOLS = (
    McpTool(
        "start_run",
        "Start a run",
        "Start a run of a coding agent in the background, and return it at once: wait for it with "
        "wait_for_runs. Without a workspace it works on a copy or worktree of your own source.",
        StartRunArguments,
        results.ChangedRun,
        start_run,
        Scope.RUN,
        STARTS,
    ),
    McpTool(
        "start_batch",
        "Start a batch of runs",
        "Start one run for each combination of values: the prompt names them as {{ column }}.",
        StartBatchArguments,
        results.StartedBatch,
        start_batch,
        Scope.RUN,
        STARTS,
    ),
)
