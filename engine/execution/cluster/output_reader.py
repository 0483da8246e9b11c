"""Output of all attempts on a node, read with calls that wait there until there is some.

One call is on its way for all attempts; a second one only for those that joined meanwhile. Output
is kept until it is asked for. Without an answer there is just nothing to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine.domain.errors import UserError
from engine.execution.cluster.attempt import NodeAttempt
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.messages import ReadOutput, ReadRequest, Ref
from engine.execution.executor import OutputChunk, OutputRequest, ProcessEnd

WAIT_S, JOIN_S = 1.0, 0.1
"""Times for which a node waits for output; the second is for the call of those that joined."""
READ_S = 0.5
"""Time for which one call of `read` waits for output."""
FRESH_S = 1.0
TRY_S = 5.0
REST_S = 0.5
"""After a call without an answer."""
CALLS = 2


class NodeOutputReader:
    """Reader of the output of the attempts on one node."""

    def __init__(self, calls: NodeCalls) -> None:
        self._calls = calls
        self._on_way: dict[asyncio.Task[None], Sequence[tuple[NodeAttempt, int]]] = {}
        self._joined = asyncio.Event()
        self._joined_at = 0.0
        self._rests_until = 0.0

    def joined(self) -> None:
        """Take note that an attempt is new: the others alone are not waited for any longer."""
        self._joined_at = asyncio.get_running_loop().time()
        self._joined.set()

    async def read(
        self, requests: Sequence[tuple[NodeAttempt, OutputRequest]], limit_lines: int
    ) -> list[OutputChunk]:
        """Return new output, or the ends of attempts on a node that is lost."""
        for attempt, request in requests:
            attempt.want(request.offset)
        now = asyncio.get_running_loop().time()
        # It is among the requests soon, but maybe not yet.
        until = now + (READ_S if now > self._joined_at + FRESH_S else JOIN_S)
        self._joined.clear()
        while not (self._calls.watch.is_lost or _is_any(requests)):
            self._ask(requests, limit_lines)
            if not await self._waited(until):
                break
        return self._taken(requests, limit_lines)

    def close(self) -> None:
        """End all calls."""
        for call in self._on_way:
            call.cancel()

    def _taken(
        self, requests: Sequence[tuple[NodeAttempt, OutputRequest]], limit_lines: int
    ) -> list[OutputChunk]:
        chunks: list[OutputChunk] = []
        for attempt, request in requests:
            if not request.wants_lines or limit_lines <= 0:
                chunks.append(OutputChunk(request.offset))
                continue
            chunk = attempt.take()
            if self._calls.watch.is_lost and not (chunk.lines or chunk.end or chunk.error):
                chunk.end = ProcessEnd(None, is_lost=True)
            limit_lines -= len(chunk.lines)
            chunks.append(chunk)
        return chunks

    def _ask(self, requests: Sequence[tuple[NodeAttempt, OutputRequest]], limit_lines: int) -> None:
        """Send a call for the attempts that no call on its way is for."""
        if len(self._on_way) >= CALLS or asyncio.get_running_loop().time() < self._rests_until:
            return
        asked = {pair for pairs in self._on_way.values() for pair in pairs}
        new = [
            (attempt, request)
            for attempt, request in requests
            if attempt.ahead is None and (attempt, request.offset) not in asked
        ]
        if not new:
            return
        message = ReadOutput(
            requests=tuple(
                ReadRequest(Ref.of(attempt.ref), one.offset, one.wants_lines, one.wants_end)
                for attempt, one in new
            ),
            limit_lines=limit_lines,
            wait_s=JOIN_S if self._on_way else WAIT_S,
        )
        pairs = [(attempt, one.offset) for attempt, one in new]
        call = asyncio.create_task(self._read(message, pairs), name=f"read {self._calls.node}")
        self._on_way[call] = pairs
        call.add_done_callback(lambda done: self._on_way.pop(done, None))

    async def _read(self, message: ReadOutput, pairs: Sequence[tuple[NodeAttempt, int]]) -> None:
        """Ask the node once; what gets no answer is asked again after a while."""
        try:
            chunks = await self._calls.call(message, try_s=TRY_S, patience_s=0.0)
            if len(chunks) != len(pairs):
                raise self._calls.failed("it answered about other attempts.")
        except (UserError, OSError) as error:
            self._rests_until = asyncio.get_running_loop().time() + REST_S
            if not (isinstance(error, UserError) and error.entry.waits_for_node):
                self._fail(pairs, error)
            return
        for (attempt, offset), chunk in zip(pairs, chunks, strict=True):
            attempt.put(offset, chunk)

    def _fail(self, pairs: Sequence[tuple[NodeAttempt, int]], error: Exception) -> None:
        """Report a failure of the node to all attempts that it was asked about."""
        if self._calls.watch.is_lost:
            return
        for attempt, offset in pairs:
            if attempt.wanted == offset:
                attempt.ahead = OutputChunk(offset, error=error)

    async def _waited(self, until: float) -> bool:
        """Wait for an answer; False where none is worth waiting for any longer."""
        left_s = until - asyncio.get_running_loop().time()
        if left_s <= 0 or self._joined.is_set():
            return False
        joining = asyncio.create_task(self._joined.wait())
        try:
            await asyncio.wait(
                {joining, *self._on_way}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            joining.cancel()
        return not self._joined.is_set()


def _is_any(requests: Sequence[tuple[NodeAttempt, OutputRequest]]) -> bool:
    return any(attempt.ahead is not None for attempt, _ in requests)
