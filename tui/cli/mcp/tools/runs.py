"""Tools that show runs: list, show, read their results."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from engine.domain.events import Step
from engine.domain.model import Run, Status
from engine.domain.run_json import result_of
from engine.engine import AttemptFile, AttemptRef
from tui.cli.api.answers import shown
from tui.cli.mcp import results
from tui.cli.mcp.bounds import TEXT_BYTES, TextPart, bounded, part_of
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.fields import Entries, Limit, Offset, RunName, ShortText, Skipped
from tui.cli.mcp.run_briefs import brief, briefs
from tui.cli.mcp.tool import McpTool, ToolArguments

STEPS = 100
"""The latest steps of a run among which its last message is looked for."""


class ListRunsArguments(ToolArguments):
    """Arguments of `list_runs`."""

    statuses: Annotated[
        tuple[Status, ...], Meta(max_length=20, description="only these statuses")
    ] = ()
    project: Annotated[ShortText | None, Meta(description="only runs of this project")] = None
    batch: Annotated[ShortText | None, Meta(description="only runs of this batch: its id")] = None
    mine: Annotated[bool, Meta(description="only runs that you started, and runs below them")] = (
        False
    )
    limit: Entries = 10
    skip: Skipped = 0


class ShowRunArguments(ToolArguments):
    """Arguments of `show_run`."""

    run: RunName


class ReadResultArguments(ToolArguments):
    """Arguments of `read_result`."""

    run: RunName
    offset: Offset = 0
    limit: Limit = TEXT_BYTES


async def list_runs(caller: Caller, asked: ListRunsArguments) -> dict[str, Any]:
    """Return the latest runs, newest first, as short objects."""
    engine, end = caller.engine, asked.skip + asked.limit
    batch = (await engine.swarms.find(asked.batch)).id if asked.batch else None
    is_filtered = asked.mine or caller.settings.others != "read"
    most = -1 if is_filtered and caller.parent else end + 1
    found = await engine.runs(
        statuses=asked.statuses, project=asked.project, batch=batch, limit=most
    )
    runs = [run for run in caller.readable(found) if caller.is_own(run) or not asked.mine]
    more = len(runs) > end
    return {
        "runs": await briefs(engine, runs[asked.skip : end]),
        "more": more,
        "hint": f"There are more: use skip {end}, or a filter." if more else "",
    }


async def show_run(caller: Caller, asked: ShowRunArguments) -> dict[str, Any]:
    """Return the run object of docs/json.md."""
    run = await caller.engine.workspaces.check(await caller.find(asked.run))
    found: Any = await shown(caller.engine, run)
    return bounded(found)


async def read_result(caller: Caller, asked: ReadResultArguments) -> dict[str, Any]:
    """Return the outcome of a run, and the last message of its agent."""
    run = await caller.find(asked.run)
    text = await last_message(caller, run)
    message = part_of(text[asked.offset :], asked.offset, asked.limit, len(text))
    return {
        "run": await brief(caller.engine, run),
        "message": as_dict(message),
        "result": bounded({"result": result_of(run)})["result"],
    }


async def last_message(caller: Caller, run: Run) -> bytes:
    """Return the last message of a run's agent; empty while there is none."""
    ref = AttemptRef(run.id, run.attempt)
    try:
        text = await caller.engine.read_attempt(ref, AttemptFile.LAST_MESSAGE)
    except OSError:  # deleted with the run's files: the event has it, too
        text = None
    if text:
        return text
    events = await caller.engine.events(run.id, before=run.seq + 1, limit=STEPS, kinds=(Step.type,))
    steps = [event.body for event in events if isinstance(event.body, Step)]
    said = [step.text for step in steps if step.role == "assistant" and step.text]
    return (said[-1] if said else run.message).encode("utf-8", "backslashreplace")


def as_dict(part: TextPart) -> dict[str, Any]:
    """Return a part of a text as a JSON object."""
    return {
        "text": part.text,
        "offset": part.offset,
        "total_bytes": part.total_bytes,
        "next_offset": part.next_offset,
    }


TOOLS = (
    McpTool(
        "list_runs",
        "List runs",
        "List runs, newest first, as short objects. `more`: there are others.",
        ListRunsArguments,
        results.ListedRuns,
        list_runs,
    ),
    McpTool(
        "show_run",
        "Show a run",
        "Return all details of one run: status, options, workspace, tokens, cost, error. "
        "Long texts are cut.",
        ShowRunArguments,
        results.ShownRun,
        show_run,
    ),
    McpTool(
        "read_result",
        "Read the result of a run",
        "Return the outcome of a run and the last message of its agent; `result` is the answer "
        "to an output schema.",
        ReadResultArguments,
        results.RunResult,
        read_result,
    ),
)
