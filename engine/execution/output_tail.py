"""The end of a file that an attempt left, as text."""

from __future__ import annotations

from engine.execution.executor import AttemptFile, AttemptRef, Executor

TAIL_BYTES = 16_384


async def read_tail(executor: Executor, ref: AttemptRef, file: AttemptFile) -> str:
    """Return the end of a file as text; nothing where it is missing or cannot be read."""
    try:
        data = await executor.read_file(ref, file, start=-TAIL_BYTES, limit_bytes=TAIL_BYTES)
    except OSError:
        return ""
    return (data or b"").decode("utf-8", "replace")
