"""Spool files: the output of an attempt, read together with its end, and its other files."""

from __future__ import annotations

import os
from pathlib import Path

from engine.execution.executor import OutputChunk, OutputRequest
from engine.execution.local.process import AttemptProcess
from engine.system.files import open_regular


def read_output(attempt: AttemptProcess, request: OutputRequest, *, may_read: bool) -> OutputChunk:
    """Return what an attempt wrote since the request's offset, and its end once all is read."""
    chunk = OutputChunk(request.offset)
    try:
        output = attempt.output(request.offset)
        if may_read and request.wants_lines:
            chunk.lines = output.lines()
            if not chunk.lines:
                chunk.cut_bytes = output.cut_off()
        # An attempt that still writes is asked now and then only; a descendant may write for ever.
        may_end = request.wants_end or not chunk.lines
        is_unread = not may_read and output.behind
        end = attempt.ending() if may_end and not is_unread else None
        if end and not output.behind:
            chunk.end, chunk.rest = end, output.rest()
        chunk.offset = output.offset
    except Exception as error:  # a fault of one attempt, which its supervisor handles
        chunk.error = error
    return chunk


def read_file(path: Path, start: int = 0, limit_bytes: int = -1) -> bytes | None:
    """Return a file's bytes from `start` on, counted from its end if negative; None if missing."""
    try:
        handle = open_regular(path)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        size = os.fstat(handle).st_size
        file.seek(start if start >= 0 else max(0, size + start))
        return file.read(limit_bytes)
