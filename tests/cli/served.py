"""`swarm-tui serve` in a process of its own, and the addresses that it prints."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from typed import COMMAND, PATIENCE_S
from yarl import URL

ADDRESS = re.compile(r"http://127\.\d+\.\d+\.\d+:\d+/#\S+")


@asynccontextmanager
async def serving(
    *words: str, cwd: Path | None = None, code: int = 130
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, URL]]:
    """The command, and the address that it printed; it ends with `code`."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "serve", "--port", "0", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=cwd,
    )
    try:
        yield process, await printed(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == code


async def printed(process: asyncio.subprocess.Process) -> URL:
    """The next address that the command prints."""
    assert process.stdout
    while line := (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode():
        if found := ADDRESS.search(line):
            return URL(found[0])
    raise AssertionError("no address was printed")
