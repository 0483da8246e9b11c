"""Streams of events as server-sent events: each event once, in order, from any point on."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING

from litestar.response import Stream

from engine.domain.errors import UserError
from engine.domain.events import event_json
from engine.domain.live import CommandOutput, output_json
from engine.domain.model import Run
from tui.cli.api.answers import changed
from tui.cli.api.encoding import to_json
from tui.cli.api.event_feed import PIECE_BYTES, FeedItem, SharedEventFeed
from tui.cli.api.event_sources import EventSource
from tui.cli.api.problems import problem, status_of
from tui.cli.support.live_reports import READ_S, LiveReports

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_S = 15.0
RETRY_MS = 2000
"""Milliseconds after which a client connects again."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class EventStreamer:
    """One stream to one client. It holds one page of events at most, however slow the client is.

    Events that are stored come from the store, by their numbers, until nothing is left; from there
    on they come from the feed. Its position is read before the store, so that nothing is missed,
    and what the store had already is skipped by its number. A client that is too slow for the feed
    reads from the store again.
    """

    def __init__(
        self,
        engine: EnginePort,
        feed: SharedEventFeed,
        source: EventSource,
        after: int,
        *,
        is_live: bool = False,
        shows_begin: bool = False,
    ) -> None:
        self._engine, self._feed, self._source = engine, feed, source
        self._after = after
        self._live = LiveReports(engine, source) if is_live else None
        self._shows_begin = shows_begin
        self._sent_at = time.monotonic()

    def response(self) -> Stream:
        """Return the stream as an answer."""
        return Stream(self.pieces(), media_type=MEDIA_TYPE, headers=HEADERS)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """Yield the bytes of the stream until it ends."""
        begin = f"id: {self._after}\n" if self._shows_begin else ""
        yield f"retry: {RETRY_MS}\n{begin}\n".encode()
        try:
            await self._feed.open()
            async for piece in self._pieces():
                self._sent_at = time.monotonic()
                yield piece
        except UserError as error:
            content = problem(status_of(error.info.code), error).content
            yield frame(to_json(content), event="problem")

    async def _pieces(self) -> AsyncGenerator[bytes]:
        while self._goes_on():
            position, ended = self._feed.end, self._source.ended()
            async for piece in self._stored():
                yield piece
            if ended and self._is_unchanged(ended):
                for number, event in self._source.last_events(self._after):
                    yield frame(to_json(event_json(event)), number)
                yield await self._end(ended)
                return
            async for piece in self._new(position):
                yield piece

    def _goes_on(self) -> bool:
        return not self._feed.stopping.is_set()

    def _is_unchanged(self, ended: Run) -> bool:
        """Return whether a run that had ended was not started again in between."""
        now = self._source.ended()
        return now is not None and now.seq == ended.seq

    async def _end(self, run: Run) -> bytes:
        return frame(to_json((await changed(self._engine, [run]))[0]), event="end")

    async def _stored(self) -> AsyncGenerator[bytes]:
        """Yield the stored events after those that were sent."""
        is_last = False
        while not is_last and self._goes_on():
            page = await self._source.page(self._after)
            frames = (frame(to_json(event_json(event)), number) for number, event in page.events)
            for piece in pieces_of(frames):
                yield piece
            self._after, is_last = page.upto, page.is_last

    async def _new(self, position: int) -> AsyncGenerator[bytes]:
        """Yield new events until the run has ended, or the feed has not kept the next one."""
        while self._goes_on() and not self._source.ended():
            items = self._feed.since(position)
            if items is None:
                return
            position += len(items)
            if piece := b"".join(self._frames(items)):
                yield piece
            if not items and (piece := await self._idle(position)):
                yield piece

    def _frames(self, items: Iterable[FeedItem]) -> Iterable[bytes]:
        for item in items:
            number = self._source.number(item)
            if number is not None and number <= self._after:
                continue
            self._after = number or self._after
            if self._source.accepts(item):
                yield frame(item.data, number)

    async def _idle(self, position: int) -> bytes:
        """Wait for the next event; return live output, or a comment after a long silence."""
        rest_s = max(0.0, self._sent_at + HEARTBEAT_S - time.monotonic())
        has_news = await self._feed.wait(position, min(rest_s, READ_S) if self._live else rest_s)
        if self._live and not has_news and (output := await self._output(self._live)):
            return output
        if time.monotonic() - self._sent_at < HEARTBEAT_S:
            return b""
        self._feed.check_works()
        return b": heartbeat\n\n"

    async def _output(self, live: LiveReports) -> bytes:
        """Return what commands have printed, which has no number and is not stored."""
        now = time.time()
        try:
            found = await live.read()
        except OSError as error:
            return f": no live output: {error.strerror}\n\n".encode()
        outputs = ((run, one) for run, one in found if isinstance(one, CommandOutput))
        return b"".join(
            frame(to_json(output_json(run.id, run.attempt, now, one))) for run, one in outputs
        )


def frame(data: bytes, number: int | None = None, event: str = "") -> bytes:
    """Return an event of a stream: its number, its name and one line of JSON."""
    named = b"event: %b\n" % event.encode() if event else b""
    numbered = b"" if number is None else b"id: %d\n" % number
    return b"%b%bdata: %b\n\n" % (numbered, named, data)


def pieces_of(frames: Iterable[bytes]) -> Iterable[bytes]:
    """Yield frames joined to pieces of a size that is sent at a time."""
    piece = bytearray()
    for one in frames:
        piece += one
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
