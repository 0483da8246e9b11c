"""The server on stdin and stdout, as clients on this machine start it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, cast

from mcp.server.stdio import stdio_server

from tui.cli.mcp.caller import Caller
from tui.cli.mcp.server import build_server

if TYPE_CHECKING:
    import anyio

LINE_BYTES = 4 * 1024 * 1024
"""A longer message is not read: it ends the connection."""


async def serve(caller: Caller) -> None:
    """Serve one client until it closes stdin; stdout carries the protocol alone."""
    server = build_server(lambda _: caller)
    lines = cast("anyio.AsyncFile[str]", _Lines(_own_stdin()))
    # It also points descriptor 1 at stderr, so that nothing else can write into the protocol.
    async with stdio_server(stdin=lines) as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _own_stdin() -> BinaryIO:
    """Return stdin; processes that we start find an empty one instead."""
    copy = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return os.fdopen(copy, "rb")


class _Lines:
    """The lines of a stream, read by a thread that a stop of this process need not wait for.

    The SDK reads with a thread that cannot be cancelled: after a signal, this process would stay
    until its client writes another line.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(64)
        threading.Thread(target=self._read, name="mcp stdin", daemon=True).start()

    def _read(self) -> None:
        with suppress(RuntimeError):  # the loop was closed: this process ends
            while line := self._next():
                self._room.acquire()
                self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
            self._loop.call_soon_threadsafe(self._lines.put_nowait, b"")

    def _next(self) -> bytes:
        try:
            line = self._stream.readline(LINE_BYTES + 1)
        except OSError:
            return b""
        if len(line) <= LINE_BYTES:
            return line
        sys.stderr.write("Error: a message of the MCP client is too long.\n")
        return b""

    def __aiter__(self) -> AsyncGenerator[str]:
        return self._each()

    async def _each(self) -> AsyncGenerator[str]:
        while line := await self._lines.get():
            self._room.release()
            yield line.decode("utf-8", "replace")
