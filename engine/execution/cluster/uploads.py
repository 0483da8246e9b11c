"""Files sent to a node in pieces; a piece whose answer was lost is sent again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from engine.domain.errors import UserError
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.messages import CHUNK_BYTES, Answer, Message
from engine.execution.cluster.workspace_messages import DropUploads, PutChunk

CHUNK_S = 60.0
"""Longest wait for the answer to one piece."""
PAUSE_S = 1.0
Stop = Callable[[], bool]


class PatientCalls:
    """Calls for work that waits for a node that does not answer, until `stop` comes."""

    def __init__(self, calls: NodeCalls, stop: Stop) -> None:
        self._calls = calls
        self.stop = stop

    @property
    def node(self) -> str:
        """The name of the node."""
        return self._calls.node

    async def call(self, message: Message[Answer], try_s: float = CHUNK_S) -> Answer:
        """Return the answer to a message; raises InterruptedError where `stop` came first."""
        while True:
            if self.stop():
                raise InterruptedError
            try:
                return await self._calls.call(message, try_s=try_s)
            except UserError as error:
                if error.code != "NODE_UNREACHABLE":
                    raise
            await asyncio.sleep(PAUSE_S)


class Uploads:
    """The files of one request; `drop` removes those that the node did not use."""

    def __init__(self, calls: PatientCalls) -> None:
        self._calls = calls
        self.names: list[str] = []

    async def send(self, path: Path) -> str:
        """Send a file that does not change; return the name it has on the node."""
        name = uuid4().hex
        self.names.append(name)
        handle = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            total = os.fstat(handle).st_size
            offset, is_sent = 0, False
            while offset < total or not is_sent:
                content = await asyncio.to_thread(os.pread, handle, CHUNK_BYTES, offset)
                there = await self._calls.call(
                    PutChunk(upload=name, offset=offset, content=content, total_bytes=total)
                )
                # Fewer than were sent before: the node has lost its files.
                offset, is_sent = min(offset + len(content), there), True
        finally:
            os.close(handle)
        return name

    def message(self) -> DropUploads:
        """Return the message that removes them."""
        return DropUploads(uploads=tuple(self.names))
