"""End of a child process whose pipes may still hold output, or be held by others."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress
from typing import Any

CANCELLED_S = 2.0
"""Wait of a cancelled caller for the end: a process that waits for a disk never ends."""


async def end_group(process: Process) -> None:
    """Kill a process that leads its group, with all of the group, and wait for its end.

    Output that was not read is dropped. A cancel does not interrupt the wait.
    """
    if process.returncode is None:
        kill_group(process.pid)
        await asyncio.shield(end(process))


def kill_group(pid: int) -> None:
    """Kill a process that leads its group, with all of the group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill(process: Process) -> None:
    """Kill a process, unless its end is known.

    `Process.kill` would reap one that has just ended: asyncio's own wait for it would then miss
    the exit code, and report the process as unknown on stderr.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


async def end(process: Process) -> None:
    """Kill a process and wait for its end. A cancel is raised after that.

    Otherwise its pipes could outlive the event loop. `Process.wait` returns only when all pipes
    are closed: one that is full, or that a process outside of the group still holds, would block
    it for ever. So they are closed first.
    """
    kill(process)
    # Streams have no way to close a pipe that is read from. Closing the transport of the process
    # as a whole would reap it, and asyncio's own wait for it would miss the exit code.
    known: Any = process
    transport: asyncio.SubprocessTransport = known._transport
    for handle in range(3):
        if pipe := transport.get_pipe_transport(handle):
            pipe.close()
    await _wait(process)


async def _wait(process: Process) -> None:
    cancelled: asyncio.CancelledError | None = None
    with suppress(TimeoutError):
        while True:
            try:
                async with asyncio.timeout(CANCELLED_S if cancelled else None):
                    await process.wait()
                break
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled:
        raise cancelled
