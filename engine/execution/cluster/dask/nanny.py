"""The parent of a node's process: starts it again whenever it is killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress

import msgspec

from engine.execution.cluster.dask.process_messages import (
    FINAL_EXITS,
    Happening,
    NodeTask,
    ProcessReport,
    line,
)
from engine.system.decoding import json_decoder
from engine.system.ending import end, kill

MODULE = "engine.execution.cluster.dask.node_process"
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
LONG_LIFE_S = 60.0
MOST_STOPS = 3
"""Number of the signal from which on the process is killed: its runs end with the lease."""
LIMIT_BYTES = 1_000_000


class Nanny:
    """The parent of a node; `report` gets what the node reports."""

    def __init__(self, task: NodeTask, report: Callable[[ProcessReport], None]) -> None:
        self._task = task
        self._report = report
        self._stops = 0
        self._process: Process | None = None

    def stop(self) -> None:
        """Pass a signal to stop on: the first drains the node, the second ends its runs."""
        self._stops += 1
        process = self._process
        if process is None or process.returncode is not None:
            return
        if self._stops >= MOST_STOPS:
            kill(process)
        elif process.stdin and not process.stdin.is_closing():
            process.stdin.write(b"\n")

    async def run(self) -> int:
        """Run the node until it left or failed for good; return its exit code."""
        loop = asyncio.get_running_loop()
        wait_s = SHORTEST_WAIT_S
        while True:
            began = loop.time()
            code = await self._run_once()
            if code in FINAL_EXITS or self._stops >= MOST_STOPS:
                return code
            if loop.time() - began > LONG_LIFE_S:
                wait_s = SHORTEST_WAIT_S
            task = self._task
            self._report(
                ProcessReport(
                    event=Happening.RESTARTED,
                    node=task.name,
                    scheduler=task.scheduler,
                    reason=_ending(code),
                )
            )
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _run_once(self) -> int:
        # A session of its own: Ctrl-C in a terminal reaches it through this process alone.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            MODULE,
            stdin=PIPE,
            stdout=PIPE,
            start_new_session=True,
            limit=LIMIT_BYTES,
        )
        assert process.stdin
        # At once: a signal to stop must not come before it.
        process.stdin.write(line(msgspec.structs.replace(self._task, stops=self._stops)))
        self._process = process
        try:
            await self._follow(process)
            return await process.wait()
        finally:
            await end(process)

    async def _follow(self, process: Process) -> None:
        """Pass reports on until the process ends."""
        assert process.stdout
        while raw := await process.stdout.readline():
            with suppress(
                msgspec.MsgspecError, RecursionError
            ):  # a line of another program, not a report
                self._report(json_decoder(ProcessReport)(raw))


def _ending(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
