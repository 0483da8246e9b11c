"""Output of many attempts in one answer, sent when there is some."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from engine.execution.cluster.messages import CHUNK_BYTES, End, ReadChunk, ReadOutput
from engine.execution.cluster.node.guard import FENCED
from engine.execution.cluster.node.home import NodeHome
from engine.execution.executor import OutputChunk, OutputRequest, ProcessEnd
from engine.execution.local.process import AttemptProcess

LONGEST_WAIT_S = 60.0
POLL_S, LOOK_S = 0.05, 1.0
"""Times from one look to the next: without a bell, and with one."""
GATHER_S = 0.005


async def read_output(home: NodeHome, message: ReadOutput) -> list[ReadChunk]:
    """Return the output of many parts, or wait for some."""
    handles = [await home.known(home.ref(request.ref)) for request in message.requests]
    if message.wait_s <= 0:
        return await _read(home, message, handles)
    folders = [handle.folder for handle in handles if handle]
    with home.service.bell.listening(folders) as rung:
        return await _wait(home, message, handles, rung)


async def _wait(
    home: NodeHome,
    message: ReadOutput,
    handles: Sequence[AttemptProcess | None],
    rung: asyncio.Event | None,
) -> list[ReadChunk]:
    clock = asyncio.get_running_loop().time
    deadline = clock() + min(message.wait_s, LONGEST_WAIT_S)
    while True:
        if rung:
            rung.clear()
        chunks = await _read(home, message, handles)
        left_s = deadline - clock()
        if left_s <= 0 or any(map(_has_news, chunks)):
            return chunks
        await _pause(rung, left_s)


async def _pause(rung: asyncio.Event | None, left_s: float) -> None:
    """Wait for news, or for the next look without any: a killed process announces nothing."""
    if rung is None:
        await asyncio.sleep(min(POLL_S, left_s))
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(min(LOOK_S, left_s)):
            await rung.wait()
            await asyncio.sleep(GATHER_S)  # several lines in one answer


def as_end(handle: AttemptProcess | None, end: ProcessEnd) -> End:
    """Return the end of a part as it is sent."""
    is_fenced = handle is not None and (handle.folder.path / FENCED).exists()
    return End(end.exit_code, end.disk_full, is_fenced)


def chunk_of(chunk: OutputChunk, handle: AttemptProcess | None) -> ReadChunk:
    """Return output as it is sent."""
    return ReadChunk(
        chunk.offset,
        tuple(chunk.lines),
        chunk.rest,
        chunk.cut_bytes,
        as_end(handle, chunk.end) if chunk.end else None,
        _said(chunk.error) if chunk.error else "",
    )


async def _read(
    home: NodeHome, message: ReadOutput, handles: Sequence[AttemptProcess | None]
) -> list[ReadChunk]:
    chunks: list[ReadChunk] = []
    lines, room = message.limit_lines, CHUNK_BYTES
    for request, handle in zip(message.requests, handles, strict=True):
        if handle is None:  # nothing was started, or its files were removed
            chunks.append(ReadChunk(request.offset, end=End(None)))
            continue
        wanted = OutputRequest(handle, request.offset, request.wants_lines, request.wants_end)
        (chunk,) = await home.executor.read([wanted], lines if room > 0 else 0)
        lines -= len(chunk.lines)
        room -= sum(map(len, chunk.lines)) + len(chunk.lines)
        chunks.append(chunk_of(chunk, handle))
    return chunks


def _has_news(chunk: ReadChunk) -> bool:
    return bool(chunk.lines or chunk.end or chunk.error or chunk.cut_bytes)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
