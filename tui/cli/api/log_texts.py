"""Logs of runs as text: the lines of `logs`, or the output of an attempt byte for byte."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from enum import StrEnum
from typing import TYPE_CHECKING

from tui.cli.support.attempt_output import attempts, nothing_written, read_piece
from tui.cli.support.plain_lines import is_beginning, lines_of_run
from tui.models.log_events import LogFilter

if TYPE_CHECKING:
    from engine.domain.model import Run
    from engine.ports.engine import EnginePort

PAGE = 200
TAIL_BYTES = 1 << 20
"""Bytes that the last lines have at most."""


class LogPart(StrEnum):
    """The parts of a log, as the flags of `logs` name them."""

    EVENTS = "events"
    RAW = "raw"
    STDERR = "stderr"
    SETUP = "setup"
    VERIFY = "verify"
    MESSAGE = "message"


async def log_text(
    engine: EnginePort, run: Run, part: LogPart, start: int, *, has_bookkeeping: bool
) -> AsyncGenerator[bytes]:
    """Return the text of a log from a byte on; raises `UserError` where there is none."""
    if part is LogPart.EVENTS:
        return _from(start, _event_lines(engine, run, has_bookkeeping=has_bookkeeping))
    for attempt in attempts(run, part):
        first = await read_piece(engine, run.id, attempt, part, start)
        if first is not None:
            return _output(engine, run.id, attempt, part, start, first)
    raise nothing_written(part)


async def last_lines(text: AsyncIterable[bytes], count: int) -> bytes:
    """Return the last lines of a text, or the end of them where they are too long."""
    kept = bytearray()
    async for piece in text:
        kept += piece
        del kept[:-TAIL_BYTES]
    lines = bytes(kept).splitlines(keepends=True)
    return b"".join(lines[-count:])


async def _event_lines(
    engine: EnginePort, run: Run, *, has_bookkeeping: bool
) -> AsyncGenerator[bytes]:
    chosen, seq = LogFilter(has_bookkeeping=has_bookkeeping), 0
    while page := await engine.events(run.id, after=seq, limit=PAGE):
        seq = page[-1].seq
        shown = (event for event in chosen.choose(page) if not is_beginning(event))
        lines = [line for event in shown for line in lines_of_run(event, run, full=True)]
        yield "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


async def _output(
    engine: EnginePort, run_id: str, attempt: int, part: LogPart, start: int, first: bytes
) -> AsyncGenerator[bytes]:
    piece: bytes | None = first
    while piece:
        yield piece
        start += len(piece)
        piece = await read_piece(engine, run_id, attempt, part, start)


async def _from(start: int, text: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Yield a text without its first bytes."""
    async for piece in text:
        if kept := piece[start:]:
            yield kept
        start = max(0, start - len(piece))
