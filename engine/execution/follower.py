"""Live attempts followed: their spool files become events, each exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from engine.agents.base import EMPTY_STATE, OutputReader
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Notice
from engine.domain.transient import transient
from engine.execution.attempt_cursor import AttemptCursor, cursor_from, cursor_text
from engine.execution.executor import (
    AttemptHandle,
    Executor,
    OutputChunk,
    OutputRequest,
    ProcessEnd,
)
from engine.execution.faults import Faults
from engine.store.appending import AppendRequest

TICK_S, MAX_TICK_S = 0.05, 0.8
CROWD = 10  # live runs that the shortest tick is good for: each costs something, every tick
LINES_A_TICK = 2000  # what keeps a tick short enough for the keys of a dashboard in this process
RETRY_S = 1.0
POLL_S = 2.0
CENSUS_S = 5.0

Commit = Callable[[Sequence[AppendRequest]], Awaitable[object]]
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class FollowedAttempt:
    """A followed attempt; `done` is its end, once all its output is stored."""

    run: str
    process: AttemptHandle
    reader: OutputReader
    cursor: AttemptCursor
    stored: str | None
    done: asyncio.Future[ProcessEnd]
    bodies: list[Body] = field(default_factory=list)
    moved: bool = False

    @property
    def verdict(self) -> UserError | None:
        """The error for which we ended it, if so.

        It is stored, for the engine that may have to finish it.
        """
        info = self.cursor.verdict
        return user_error(info.code, info.message, info.recovery) if info else None

    @verdict.setter
    def verdict(self, verdict: UserError | None) -> None:
        self.cursor.verdict = verdict.info if verdict else None
        self.moved |= verdict is not None

    def translate(self, chunk: OutputChunk) -> None:
        """Translate the next lines, and the last one where it was cut short by the end."""
        self.bodies += self.reader.read(chunk.lines)
        if missing := chunk.cut_bytes:
            said = f"{missing} bytes of the agent's output were cut off: their content is lost"
            self.bodies.append(Notice("warning", said))
        if chunk.rest:
            self.bodies += self.reader.read([chunk.rest])
        self.moved |= self.cursor.offset != chunk.offset
        self.cursor.offset = chunk.offset

    def poll(self) -> None:
        """Take in what the agent writes elsewhere."""
        self.bodies += self.reader.poll()
        self.moved |= self.reader.moved

    def end(self) -> None:
        """Take in what the agent wrote elsewhere, once its output is read to its end."""
        self.bodies += self.reader.finish()
        # What only the end shows is an event, too, although no source of it has moved.
        self.moved |= self.reader.moved or bool(self.bodies)

    def cursor_text(self) -> str:
        """Return the cursor as it is to be stored now."""
        self.cursor.agent = msgspec.Raw(self.reader.state())
        return cursor_text(self.cursor)

    def close(self) -> None:
        """Close its files."""
        self.process.close_output()
        self.reader.close()


Taken = list[tuple[FollowedAttempt, AppendRequest]]
"""The attempts of one transaction, each with what it stores."""


class OutputFollower:
    """One poller for all attempts: every tick is one transaction, whatever the number of runs."""

    def __init__(self, executor: Executor, commit: Commit, faults: Faults | None = None) -> None:
        self._executor = executor
        self._commit = commit
        self._faults = faults or Faults()
        self._followed: dict[str, FollowedAttempt] = {}
        self._turn = 0
        self._next_polls = self._next_census = 0.0
        self._storing: asyncio.Task[None] | None = None
        self._is_late = False
        """True if the store could not take what was read."""
        self._wanted = asyncio.Event()

    def follow(
        self,
        run: str,
        process: AttemptHandle,
        stored: str | None,
        open_reader: Callable[[bytes], OutputReader],
    ) -> FollowedAttempt:
        """Follow an attempt from its stored cursor on, with a reader of the agent's state in it."""
        cursor = cursor_from(stored) if stored else AttemptCursor(msgspec.Raw(EMPTY_STATE))
        following = FollowedAttempt(
            run=run,
            process=process,
            reader=open_reader(bytes(cursor.agent)),
            cursor=cursor,
            stored=stored,
            done=asyncio.get_running_loop().create_future(),
        )
        self._followed[run] = following
        self._wanted.set()
        return following

    def forget(self, run: str) -> None:
        """Follow it no longer."""
        following = self._followed.pop(run, None)
        if following:
            following.close()

    def _let_go(self, following: FollowedAttempt) -> None:
        """Follow this attempt no longer; the run's next one may be followed by now."""
        if self._followed.get(following.run) is following:
            self.forget(following.run)

    async def run(self) -> None:
        """Poll for ever, while there is something to follow."""
        try:
            while True:
                await self._tick()
        finally:
            # What is being written is written: after a fault, this goes on from there.
            if self._storing:
                await asyncio.gather(self._storing, return_exceptions=True)

    async def _tick(self) -> None:
        if not self._followed:
            self._wanted.clear()
            await self._wanted.wait()
        await self._record_processes()
        busy, endings = await self._read()
        try:
            await self._stored()
            self._storing = asyncio.create_task(self._store(self._taken(), endings))
            if not busy:
                await self._stored()
            if self._is_late:
                self._is_late = False
                self._faults.clear("database")
        except UserError as error:
            # Nothing is lost: what was not stored is kept, and tried again.
            self._is_late = True
            self._faults.record("database", error)
            await asyncio.sleep(RETRY_S)
        # In a flood the next lines are read while the last ones are being written.
        await asyncio.sleep(0 if busy else self._pause_s())

    async def _record_processes(self) -> None:
        """Look now and then which processes there are: those that lose their parent stay known."""
        clock = asyncio.get_running_loop().time
        if clock() < self._next_census:
            return
        self._next_census = clock() + CENSUS_S
        try:
            await self._executor.observe([it.process for it in self._followed.values()])
        except OSError as error:
            _log.warning("the processes of the runs were not recorded: %s", error)

    def _pause_s(self) -> float:
        """Return how long to wait: longer with many runs, of which only some are watched."""
        return min(MAX_TICK_S, TICK_S * max(1.0, len(self._followed) / CROWD))

    async def _read(self) -> tuple[bool, list[tuple[FollowedAttempt, ProcessEnd]]]:
        """Read what there is; return whether there may be more, and which attempts have ended."""
        polls = self._polls_due()
        followed = self._in_turn()
        # What is not stored yet is stored before more is read.
        requests = [
            OutputRequest(it.process, it.cursor.offset, not it.bodies, polls) for it in followed
        ]
        chunks = await self._executor.read(requests, LINES_A_TICK)
        endings: list[tuple[FollowedAttempt, ProcessEnd]] = []
        for following, request, chunk in zip(followed, requests, chunks, strict=True):
            if self._followed.get(following.run) is not following:
                continue  # forgotten while it was read
            try:
                if chunk.error:
                    raise chunk.error
                following.translate(chunk)
                if polls and request.wants_lines:
                    following.poll()
                if chunk.end:
                    following.end()
                    endings.append((following, chunk.end))
            except Exception as error:  # its supervisor's affair alone
                self._fail(following, error)
        return sum(len(chunk.lines) for chunk in chunks) >= LINES_A_TICK, endings

    def _fail(self, following: FollowedAttempt, error: Exception) -> None:
        if not following.done.done():
            following.done.set_exception(error)
            following.done.exception()  # who closes in this moment does not ask for it
        self._let_go(following)

    def _polls_due(self) -> bool:
        now = asyncio.get_running_loop().time()
        due = now >= self._next_polls
        if due:
            self._next_polls = now + POLL_S
        return due

    def _in_turn(self) -> list[FollowedAttempt]:
        """Return all, each time beginning with another: no flood starves the others."""
        followed = list(self._followed.values())
        self._turn = (self._turn + 1) % max(1, len(followed))
        return followed[self._turn :] + followed[: self._turn]

    def _taken(self) -> Taken:
        """Take what is to be stored next; it is given back where that fails."""
        taken: Taken = []
        failed: list[tuple[FollowedAttempt, Exception]] = []
        for it in self._followed.values():
            if it.moved:
                try:
                    cursor = it.cursor_text()
                except Exception as error:  # its supervisor's affair alone
                    failed.append((it, error))
                    continue
                taken.append((it, AppendRequest(it.run, it.bodies, None, None, cursor, it.stored)))
                it.bodies, it.moved = [], False
        for it, error in failed:
            self._fail(it, error)
        return taken

    async def _stored(self) -> None:
        """Wait until what was taken is stored; raises `UserError` where it is not."""
        storing, self._storing = self._storing, None
        if storing:
            await storing

    async def _store(self, taken: Taken, endings: list[tuple[FollowedAttempt, ProcessEnd]]) -> None:
        try:
            if taken:
                await self._commit([entry for _, entry in taken])
                _mark_stored(taken)
        except BaseException as error:
            _release(taken)
            if not isinstance(error, Exception) or transient(error):
                raise
            await self._store_apart(taken)
        for following, ending in endings:
            if not following.done.done():
                following.done.set_result(ending)
            self._let_go(following)

    async def _store_apart(self, taken: Taken) -> None:
        """Store each run's part by itself, after a fault: it is that run's, and no other's."""
        of_store: Exception | None = None
        for following, entry in taken:
            del following.bodies[: len(entry.bodies)]
            try:
                await self._commit([entry])
                _mark_stored([(following, entry)])
            except BaseException as error:
                _release([(following, entry)])
                if not isinstance(error, Exception):
                    raise
                if is_of_store(error):
                    of_store = error  # tried again later, with what else comes by then
                else:
                    self._fail(following, error)
        if of_store:
            raise of_store


def _mark_stored(taken: Taken) -> None:
    for following, entry in taken:
        following.stored = entry.cursor


def _release(taken: Taken) -> None:
    for following, entry in taken:
        following.bodies[:0] = entry.bodies
        following.moved = True


def is_of_store(error: Exception) -> bool:
    """Return whether a fault is not about a run: the store cannot be written at all."""
    return transient(error) is not None or (
        isinstance(error, UserError) and error.entry.stops_store
    )
