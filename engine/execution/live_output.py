"""Live reports of a run, read from the output of its attempt as it grows.

The process that shows a run reads them itself, and only while it shows it. A dashboard is often
another process than the supervisor: to send it all that a command prints, the supervisor would
have to write it into the store, or know who looks at what. The file is there anyway, serves after
a takeover, too, and a run that is not shown costs nothing.
"""

from __future__ import annotations

import asyncio

from engine.agents.base import LiveReader
from engine.agents.registry import agent_of
from engine.domain.live import LiveReport
from engine.domain.model import Run, Status
from engine.execution.executor import AttemptFile, AttemptRef, Executor
from engine.execution.executors import Executors

TAIL_BYTES = 1 << 20
"""Bytes before the end of the output at which reading begins, and beyond which it skips."""
LINE_BYTES = 1 << 20
"""The longest line that is read; only its end is waited for where one is longer."""


def open_live(run: Run, executors: Executors) -> LiveOutput | None:
    """Return the live reports of the attempt that a run is at; None where it has none.

    Raises `UserError` HOST_UNKNOWN.
    """
    reader = agent_of(run.spec.agent).live_reader(run) if run.status is Status.RUNNING else None
    if reader is None:
        return None
    return LiveOutput(executors.of_run(run), AttemptRef(run.id, run.attempt), reader)


class LiveOutput:
    """The live reports of one attempt, each once; what is too much is left out."""

    def __init__(self, executor: Executor, ref: AttemptRef, reader: LiveReader) -> None:
        self.ref = ref
        self._executor = executor
        self._reader = reader
        self._offset: int | None = None
        self._rest = b""
        self._is_skipping = False
        """True if the beginning of the current line was not read, or is not kept."""

    async def read(self) -> list[LiveReport]:
        """Return the new reports, oldest first; raises OSError."""
        size = await self._executor.file_size(self.ref, AttemptFile.OUTPUT)
        if size is None or size.size_bytes == self._offset:
            return []
        reports = self._skip_to(size.size_bytes)
        offset = self._offset or 0
        limit = size.size_bytes - offset
        data = await self._executor.read_file(self.ref, AttemptFile.OUTPUT, offset, limit) or b""
        self._offset = offset + len(data)
        return reports + await asyncio.to_thread(self._split, data)

    def _skip_to(self, size_bytes: int) -> list[LiveReport]:
        """Move near to the end of the output where it is far away, or was made shorter."""
        known, start = self._offset, max(0, size_bytes - TAIL_BYTES)
        if known is not None and start <= known <= size_bytes:
            return []
        self._offset, self._rest = start, b""
        self._is_skipping = start > 0
        return [] if known is None else self._reader.forget()

    def _split(self, data: bytes) -> list[LiveReport]:
        *lines, rest = (self._rest + data).split(b"\n")
        if lines and self._is_skipping:
            lines, self._is_skipping = lines[1:], False
        reports = self._reader.read(lines)
        if self._is_skipping:
            rest = b""
        elif len(rest) > LINE_BYTES:
            reports += self._reader.skip(rest)
            rest, self._is_skipping = b"", True
        self._rest = rest
        return reports
