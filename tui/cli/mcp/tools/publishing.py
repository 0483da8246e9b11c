"""Tools that change more than runs: apply, push, clean up. The settings have to enable them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from msgspec import Meta

from engine.domain.text import printable_name
from engine.engine import ApplyMode, ApplyOptions, CleanupFilter, PushRequest, apply_run
from tui.cli.api.scopes import Scope
from tui.cli.mcp import results
from tui.cli.mcp.bounds import bounded
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.fields import RunName, RunNames
from tui.cli.mcp.tool import McpTool, ToolArguments, ToolHints


class ApplyRunArguments(ToolArguments):
    """Arguments of `apply_run`."""

    run: RunName
    how: Annotated[
        Literal["edits", "commit", "merge"],
        Meta(
            description="as edits in the working tree of the source, a commit on the run's branch, "
            "or a merge into the current branch"
        ),
    ] = "edits"
    check: Annotated[bool, Meta(description="only check whether the changes fit")] = False


class PushRunArguments(ToolArguments):
    """Arguments of `push_run`."""

    run: RunName


class CleanupRunsArguments(ToolArguments):
    """Arguments of `cleanup_runs`."""

    runs: RunNames
    dry_run: Annotated[bool, Meta(description="only return the plan")] = False


async def apply_changes(caller: Caller, asked: ApplyRunArguments) -> dict[str, Any]:
    """Apply the changes of a run to its source."""
    (run,) = await caller.find_own([asked.run])
    options = ApplyOptions(ApplyMode(asked.how), None, "", asked.check)
    done = await apply_run(caller.engine.workspaces, run.id, options)
    if done.error and not done.clashes:
        raise done.error
    clashes = [{"path": printable_name(one.path), "why": one.why} for one in done.clashes]
    return bounded(
        {
            "run": run.id,
            "outcome": done.outcome.value,
            "fits": done.outcome.is_good,
            "applied": done.outcome.is_good and not asked.check and not done.result.is_nothing,
            "files": [printable_name(path) for path in done.result.files],
            "conflicts": clashes,
            "commit": done.result.commit,
            "branch": done.result.branch,
        }
    )


async def push_run(caller: Caller, asked: PushRunArguments) -> dict[str, Any]:
    """Push the branch of a run."""
    (run,) = await caller.find_own([asked.run])
    done = await caller.engine.pushes.push(run.id, PushRequest(None, None, None))
    return {"run": run.id, **asdict(done.pushed)}


async def cleanup_runs(caller: Caller, asked: CleanupRunsArguments) -> dict[str, Any]:
    """Move workspaces of ended runs to the trash."""
    found = await caller.find_own(asked.runs)
    wish = CleanupFilter(runs=frozenset(run.id for run in found))
    plan = await caller.engine.disk.plan(wish)
    cleaned: list[dict[str, Any]] = []
    if not asked.dry_run and plan.take:
        report = await caller.engine.disk.clean(plan, wish)
        cleaned = [
            {"run": one.item.run, "freed": one.freed, "error": one.failure and one.failure.message}
            for one in report.cleaned
        ]
    return bounded(
        {
            "take": [{"run": item.run, "size": item.size, "why": item.why} for item in plan.take],
            "keep": [{"run": item.run, "size": item.size, "why": item.why} for item in plan.keep],
            "cleaned": cleaned,
        }
    )


DESTROYS = ToolHints(destructive=True)

TOOLS = (
    McpTool(
        "apply_run",
        "Apply the changes of a run",
        "Apply the changes of a run to its source. A conflict changes nothing.",
        ApplyRunArguments,
        results.AppliedRun,
        apply_changes,
        Scope.ADMIN,
        DESTROYS,
        "apply",
    ),
    McpTool(
        "push_run",
        "Push the branch of a run",
        "Commit the changes of a run on its branch and push it to the remote.",
        PushRunArguments,
        results.PushedRun,
        push_run,
        Scope.ADMIN,
        DESTROYS,
        "push",
    ),
    McpTool(
        "cleanup_runs",
        "Clean up runs",
        "Move the workspaces of ended runs to the trash. Unsaved work stays.",
        CleanupRunsArguments,
        results.CleanedRuns,
        cleanup_runs,
        Scope.ADMIN,
        DESTROYS,
        "cleanup",
    ),
)
