"""Supervision for commands that wait for runs, or the reason why it is not possible."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from engine.domain.errors import UserError, user_error
from engine.domain.fault import SUPERVISOR_LOCK
from engine.domain.text import one_line
from engine.domain.transient import transient
from engine.engine import read_holder
from tui.cli.support import output, session

if TYPE_CHECKING:
    from engine.engine import BackgroundProcess, LockHolder
    from engine.ports.engine import EnginePort

CHECK_S = 1.0
STARTS = 3
WITHIN_S = 60.0
"""So many supervisors are started within this time; the next that is needed is an error."""
BEGIN_S = 10.0
"""Time for a process to get the lock."""
TAIL_BYTES = 4096
Result = TypeVar("Result")


class Attendant:
    """Starter of a supervisor whenever none is alive while runs are left to do."""

    def __init__(self, engine: EnginePort, *, own: bool = False) -> None:
        self._engine = engine
        self._own = own  # this engine takes over by itself
        self._absent_since: float | None = None
        self._child: BackgroundProcess | None = None
        self._starts: list[float] = []
        self._problem = ""
        self._log_start = self._log_size()

    async def run(self) -> None:
        """Check until cancelled. Raises `UserError` if no supervisor can be had."""
        try:
            while True:
                await self.check()
                await asyncio.sleep(CHECK_S)
        finally:
            if self._child:
                self._child.leave()

    async def check(self) -> None:
        """Look once who supervises, and act on it."""
        engine = self._engine
        if engine.supervises or not await self._is_needed():
            self._absent_since = None
            return
        holder = await asyncio.to_thread(read_holder, engine.paths.lock)
        self._report(holder)
        if holder.is_alive:
            self._absent_since = None
            return
        now = time.monotonic()
        self._absent_since = self._absent_since or now
        if self._own:
            self._check_takes_over(now - self._absent_since)
        elif not self._is_beginning(now):
            await self._start(now)

    async def _is_needed(self) -> bool:
        try:
            return await self._engine.is_needed()
        except UserError as error:
            if not transient(error):
                raise
            return False  # the store is asked again in a moment

    def _report(self, holder: LockHolder) -> None:
        """Write once that the supervisor does nothing, and once that it works again."""
        if holder.problem and not self._problem:
            output.say_aside(holder.problem)
        elif self._problem and not holder.problem:
            output.say_aside("The runs are supervised again.")
        self._problem = holder.problem

    def _check_takes_over(self, absent_s: float) -> None:
        if absent_s > BEGIN_S:
            why = next((f.error for f in self._engine.faults if f.task == SUPERVISOR_LOCK), "")
            raise user_error("NOT_SUPERVISED", f"This process cannot supervise the runs. {why}")

    def _is_beginning(self, now: float) -> bool:
        alive = self._child is not None and self._child.exit_code() is None
        return alive and now - self._starts[-1] < BEGIN_S

    async def _start(self, now: float) -> None:
        self._starts = [at for at in self._starts if now - at < WITHIN_S]
        if len(self._starts) >= STARTS:
            raise user_error("NOT_SUPERVISED", self._why())
        self._starts.append(now)
        try:
            started = await asyncio.to_thread(
                session.start_background_supervisor, self._engine.paths
            )
        except OSError as error:
            if len(self._starts) >= STARTS:
                message = f"No supervisor can be started: {error.strerror or error}."
                raise user_error("NOT_SUPERVISED", message) from error
            return
        self._child = started or self._child

    def _why(self) -> str:
        code = self._child.exit_code() if self._child else None
        ended = "did not begin" if code is None else f"ended with exit code {code}"
        last = self._last_log_line()
        return f"The supervisor was started {STARTS} times, and {ended}.{last and ' ' + last}"

    def _log_size(self) -> int:
        with suppress(OSError):
            return self._engine.paths.log.stat().st_size
        return 0

    def _last_log_line(self) -> str:
        """Return the last line logged since this command began; empty if there is none."""
        try:
            with self._engine.paths.log.open("rb") as file:
                file.seek(max(self._log_start, self._log_size() - TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").split("\n")
        except OSError:
            return ""
        said = [line for line in lines if line.strip()]
        return one_line(said[-1], 300) if said else ""


async def attended(
    engine: EnginePort, work: Coroutine[None, None, Result], *, own: bool = False
) -> Result:
    """Do `work`, which waits for runs, while they are supervised. Raises `UserError` if not."""
    working = asyncio.ensure_future(work)
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    attendant = engine.tasks.start("attendant", Attendant(engine, own=own).run, ends_on=UserError)
    attendant.when_done(lambda: ended.done() or ended.set_result(None))
    try:
        await asyncio.wait((working, ended), return_when=asyncio.FIRST_COMPLETED)
        if attendant.error and not working.done():
            raise attendant.error  # the reason why supervision is not possible
        result = await working
        if not own:
            await session.see_to_what_is_left(engine)  # messages that are owed, for example
        return result
    finally:
        working.cancel()
        attendant.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await attendant.wait()
