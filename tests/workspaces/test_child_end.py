"""End of child processes whose pipes are full, or held by others."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable

import pytest

from engine.system.ending import end, end_group

Ending = Callable[[Process], Awaitable[None]]
WAIT_S = 30.0
FULL = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
HELD = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
time.sleep(600)
"""


async def started(program: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )


@pytest.mark.parametrize("ended_by", [end, end_group])
async def test_a_full_pipe_does_not_block_the_end(ended_by: Ending) -> None:
    process = await started(FULL)
    assert process.stdout
    await process.stdout.readexactly(65536)  # from here on nobody reads
    async with asyncio.timeout(WAIT_S):
        await ended_by(process)
    assert process.returncode == -signal.SIGKILL


async def test_a_pipe_that_another_session_holds_does_not_block_the_end() -> None:
    process = await started(HELD)
    assert process.stdout
    other = int(await process.stdout.readline())
    try:
        async with asyncio.timeout(WAIT_S):
            await end_group(process)
        assert process.returncode == -signal.SIGKILL
    finally:
        os.kill(other, signal.SIGKILL)


@pytest.mark.skipif(not shutil.which("true"), reason="needs `true`")
async def test_a_process_that_has_ended_keeps_its_exit_code() -> None:
    process = await asyncio.create_subprocess_exec("true", start_new_session=True)
    await process.wait()
    await end_group(process)
    assert process.returncode == 0
