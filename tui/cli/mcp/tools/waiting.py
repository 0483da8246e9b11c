"""The tool that waits for runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from engine.domain.lifecycle import LIVE
from engine.domain.model import Run
from tui.cli.mcp import results
from tui.cli.mcp.caller import Caller
from tui.cli.mcp.fields import RunNames
from tui.cli.mcp.run_briefs import briefs
from tui.cli.mcp.tool import McpTool, ToolArguments
from tui.cli.support.session import ensure_supervision

HEARTBEAT_S = 5.0
"""A client that hears nothing for long ends its request."""
REPORT_S = 0.2
"""Seconds between two reports of progress at least."""
USUAL_S = 300.0
MOST_S = 3600.0


class WaitForRunsArguments(ToolArguments):
    """Arguments of `wait_for_runs`."""

    runs: RunNames
    until: Annotated[
        Literal["all", "any"], Meta(description="wait until all have ended, or until one has")
    ] = "all"
    timeout_s: Annotated[
        float, Meta(ge=0, le=MOST_S, description="seconds to wait at most; then call it again")
    ] = USUAL_S


async def wait_for_runs(caller: Caller, asked: WaitForRunsArguments) -> dict[str, Any]:
    """Return the runs once they have ended, or when the time is over."""
    found = [await caller.find(name) for name in asked.runs]
    runs = {run.id: run for run in found}
    wait = _Wait(caller, runs, asked)
    is_done = await wait.run()
    waits = [run.id for run in runs.values() if run.unanswered]
    return {
        "done": is_done,
        "runs": await briefs(caller.engine, list(runs.values())),
        "waiting_for_the_user": waits,
        "hint": "" if is_done else "Not all have ended: call it again, or read their logs.",
    }


class _Wait:
    """A wait for runs, which reports its progress and ensures that they are supervised."""

    def __init__(self, caller: Caller, runs: dict[str, Run], asked: WaitForRunsArguments) -> None:
        self._caller = caller
        self._runs = runs
        self._needed = len(runs) if asked.until == "all" else 1
        self._began = time.monotonic()
        self._limit_s = asked.timeout_s
        self._reported_s = -1.0

    async def run(self) -> bool:
        """Wait; return whether enough of the runs have ended."""
        batches = self._caller.engine.batches(REPORT_S)
        while True:
            self._refresh()
            if self._ended() >= self._needed:
                return True
            left_s = self._limit_s - self._elapsed_s()
            if left_s <= 0:
                return False
            await self._report()
            try:
                async with asyncio.timeout(min(left_s, HEARTBEAT_S)):
                    await anext(batches)
            except TimeoutError:
                await ensure_supervision(self._caller.engine, self._runs.values())

    def _refresh(self) -> None:
        view: Mapping[str, Run] = self._caller.engine.view.runs
        for run_id, known in self._runs.items():
            self._runs[run_id] = view.get(run_id, known)

    def _ended(self) -> int:
        forgotten = self._caller.engine.view.forgotten
        return sum(run.status not in LIVE or run.id in forgotten for run in self._runs.values())

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began

    async def _report(self) -> None:
        """Report the seconds that have passed, and how the runs are."""
        self._reported_s = max(self._reported_s + 0.001, round(self._elapsed_s(), 3))
        live = [run for run in self._runs.values() if run.status in LIVE]
        states = ", ".join(f"{run.id} {run.status}" for run in live[:5])
        words = f"{self._ended()} of {len(self._runs)} ended; {states}"
        await self._caller.report(self._reported_s, self._limit_s, words)


TOOLS = (
    McpTool(
        "wait_for_runs",
        "Wait for runs",
        "Wait until runs have ended, and return them as short objects. Progress is reported "
        "meanwhile. A run in `waiting_for_the_user` asks its user for something.",
        WaitForRunsArguments,
        results.AwaitedRuns,
        wait_for_runs,
    ),
)
