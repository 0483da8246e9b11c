"""A part of an attempt on a node: its handle, and the output of it that was read ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from engine.domain.errors import UserError
from engine.execution.cluster.calls import NodeCalls
from engine.execution.cluster.messages import (
    Commands,
    End,
    KillRemaining,
    ReadChunk,
    Ref,
    StopAttempt,
    Survivors,
    SyncFiles,
    UsedCpu,
)
from engine.execution.executor import AttemptRef, OutputChunk, ProcessEnd

RETRY_S = 1.0
"""Between two tries to stop an attempt on a node that does not answer."""
STOP_S = 60.0
"""Time in which a node has to end processes, beside the grace time."""
SHORT_S = 2.0
"""Longest wait for what can be left out."""


class NodeAttempt:
    """A started part of an attempt on a node."""

    def __init__(self, ref: AttemptRef, calls: NodeCalls) -> None:
        self.ref = ref
        self.commands = Commands(None, 0, 0.0)
        """The last known progress of a set-up or check."""
        self.wanted = 0
        """Position at which the output begins that is asked for next."""
        self.ahead: OutputChunk | None = None
        """Output from `wanted` on that was read and not taken yet."""
        self._calls = calls
        self._cpu_s = 0.0
        self._survivors: Mapping[int, str] = {}

    @property
    def survivors(self) -> Mapping[int, str]:
        """Processes that could not be ended, as their names by number."""
        return self._survivors

    async def stop(self, grace_s: float) -> None:
        """End it and all it started; a node that does not answer is asked until it is lost."""
        message = StopAttempt(ref=Ref.of(self.ref), grace_s=grace_s)
        if found := await stopped(self._calls, message):
            self._survivors = found.alive

    async def kill_remaining(self) -> dict[int, str]:
        """Kill what of it is still alive; nothing is, on a node that is lost."""
        try:
            found = await self._calls.call(KillRemaining(ref=Ref.of(self.ref)), try_s=STOP_S)
        except UserError as error:
            if error.code != "NODE_LOST":
                raise
            return {}
        self._survivors = found.alive
        return found.killed

    async def used_cpu_s(self) -> float:
        """Return the processor time that its living processes have used.

        It grows while the node does not answer: whether the agent is idle is not known then.
        """
        message = UsedCpu(ref=Ref.of(self.ref))
        try:
            self._cpu_s = await self._calls.call(message, try_s=SHORT_S, patience_s=SHORT_S)
        except UserError:
            self._cpu_s += 1.0
        return self._cpu_s

    async def sync_files(self) -> None:
        """Write its files through to the disk, where the node can be reached."""
        try:
            await self._calls.call(SyncFiles(ref=Ref.of(self.ref)))
        except UserError as error:
            if not error.entry.is_node_away:
                raise

    def close_output(self) -> None:
        """Read its output no longer."""
        self.ahead = None

    def release(self) -> None:
        """Release it, alive: the node keeps it."""
        self.ahead = None

    def want(self, offset: int) -> None:
        """Take note of where the output begins that is asked for."""
        if offset != self.wanted:
            self.wanted, self.ahead = offset, None

    def put(self, offset: int, chunk: ReadChunk) -> None:
        """Keep output from `offset` on, if it is still asked for and there is any."""
        found = output_chunk(chunk, self._calls)
        is_empty = not (found.lines or found.rest or found.end or found.error or found.cut_bytes)
        if offset == self.wanted and not (is_empty and found.offset == offset):
            self.ahead = found

    def take(self) -> OutputChunk:
        """Return the output that was read, or none."""
        chunk, self.ahead = self.ahead or OutputChunk(self.wanted), None
        self.wanted = chunk.offset
        return chunk


async def stopped(calls: NodeCalls, message: StopAttempt) -> Survivors | None:
    """End a part of an attempt, as soon as its node answers; None where the node is lost."""
    while True:
        try:
            return await calls.call(message, try_s=message.grace_s + STOP_S)
        except UserError as error:
            if error.code == "NODE_LOST":
                return None
            if not error.entry.waits_for_node:
                raise
        await asyncio.sleep(RETRY_S)


def process_end(end: End | None) -> ProcessEnd | None:
    """Return the end of a process, as the port has it."""
    if end is None:
        return None
    return ProcessEnd(end.exit_code, end.disk_full, is_lost=end.is_fenced)


def output_chunk(chunk: ReadChunk, calls: NodeCalls) -> OutputChunk:
    """Return output as the port has it."""
    return OutputChunk(
        chunk.offset,
        list(chunk.lines),
        chunk.rest,
        chunk.cut_bytes,
        process_end(chunk.end),
        calls.failed(chunk.error) if chunk.error else None,
    )
