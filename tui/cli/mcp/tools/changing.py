"""Tools that change runs: cancel, retry, resume, send a message."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from msgspec import Meta

from engine.domain import requests
from engine.domain.interaction import DeliveryTime
from engine.domain.model import Run
from tui.cli.api.scopes import Scope
from tui.cli.mcp import results
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.fields import RunName, RunNames, Text
from tui.cli.mcp.run_briefs import brief, briefs
from tui.cli.mcp.tool import McpTool, ToolArguments, ToolHints
from tui.cli.support.child_runs import check_next_attempt
from tui.cli.support.session import ensure_supervision


class CancelRunsArguments(ToolArguments):
    """Arguments of `cancel_runs`."""

    runs: RunNames
    kill: Annotated[bool, Meta(description="end them at once, without a grace time")] = False


class RetryRunArguments(ToolArguments):
    """Arguments of `retry_run`."""

    run: RunName
    prompt: Annotated[Text | None, Meta(description="this prompt instead, in a new thread")] = None
    fresh: Annotated[bool, Meta(description="start over in a new workspace and thread")] = False


class ResumeRunArguments(ToolArguments):
    """Arguments of `resume_run`."""

    run: RunName
    message: Annotated[Text, Meta(description="what the agent has to do next")]


class SendMessageArguments(ToolArguments):
    """Arguments of `send_message`."""

    run: RunName
    message: Text
    after_turn: Annotated[bool, Meta(description="deliver it when its turn has ended")] = False


async def cancel_runs(caller: Caller, asked: CancelRunsArguments) -> dict[str, Any]:
    """Cancel runs with all that they have started."""
    found = await caller.find_own(asked.runs)
    for run in found:
        requests.check_cancellable(run)
    ids = [run.id for run in found]
    done = await caller.engine.cancel_all(ids, kill=asked.kill, children=True)
    return await _changed(caller, done)


async def retry_run(caller: Caller, asked: RetryRunArguments) -> dict[str, Any]:
    """Queue the next attempt of a run."""
    async with _next_attempt(caller, asked.run) as run:
        queued = await caller.engine.retry(run.id, prompt=asked.prompt, fresh=asked.fresh)
    return await _queued(caller, queued)


async def resume_run(caller: Caller, asked: ResumeRunArguments) -> dict[str, Any]:
    """Continue the thread of a run."""
    async with _next_attempt(caller, asked.run) as run:
        queued = await caller.engine.resume(run.id, asked.message)
    return await _queued(caller, queued)


async def send_message(caller: Caller, asked: SendMessageArguments) -> dict[str, Any]:
    """Send a message to an agent at work."""
    delivery = DeliveryTime.AFTER_TURN if asked.after_turn else DeliveryTime.NOW
    async with _next_attempt(caller, asked.run) as run:
        queued = await caller.engine.send(run.id, asked.message, delivery)
    return await _queued(caller, queued)


@asynccontextmanager
async def _next_attempt(caller: Caller, name: str) -> AsyncGenerator[Run]:
    """Yield an own run that may go on; meanwhile nothing else uses what is left of the budget."""
    (run,) = await caller.find_own([name])
    async with caller.starting:
        await check_next_attempt(caller.engine, caller.parent, run)
        yield run


async def _queued(caller: Caller, run: Run) -> dict[str, Any]:
    await ensure_supervision(caller.engine)
    return {"run": await brief(caller.engine, run)}


async def _changed(caller: Caller, runs: Sequence[Run]) -> dict[str, Any]:
    await ensure_supervision(caller.engine, runs)
    return {"runs": await briefs(caller.engine, runs)}


ENDS = ToolHints(destructive=True, idempotent=True)
CHANGES = ToolHints()

TOOLS = (
    McpTool(
        "cancel_runs",
        "Cancel runs",
        "Stop runs that have not ended, with all runs that they have started. Their workspaces "
        "stay.",
        CancelRunsArguments,
        results.ChangedRuns,
        cancel_runs,
        Scope.RUN,
        ENDS,
    ),
    McpTool(
        "retry_run",
        "Retry a run",
        "Start the next attempt of a run that has ended, in its workspace and thread.",
        RetryRunArguments,
        results.ChangedRun,
        retry_run,
        Scope.RUN,
        CHANGES,
    ),
    McpTool(
        "resume_run",
        "Resume a run",
        "Continue the thread of a run that has ended with a message, for example with what is "
        "missing.",
        ResumeRunArguments,
        results.ChangedRun,
        resume_run,
        Scope.RUN,
        CHANGES,
    ),
    McpTool(
        "send_message",
        "Send a message to a run",
        "Send a message to the agent of an interactive run while it works; a run that has ended "
        "goes on with it.",
        SendMessageArguments,
        results.ChangedRun,
        send_message,
        Scope.RUN,
        CHANGES,
    ),
)
