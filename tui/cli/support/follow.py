"""Runs followed to their end, and what the end means as an exit code."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from engine.domain.errors import UserError
from engine.domain.events import Event, RunForgotten
from engine.domain.lifecycle import LIVE
from engine.domain.model import Run, Status
from engine.domain.projection import fold
from engine.engine import Changes, EventBatch
from tui.cli.support import waiting
from tui.cli.support.answers_in_place import AnswersInPlace, answering
from tui.cli.support.failure import EXIT_CANCELLED, EXIT_FAILED, EXIT_TIMED_OUT
from tui.cli.support.fault_news import FaultNews
from tui.cli.support.live_reports import LiveReports, RunReport

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

PAGE = 500


class RunDisplay(Protocol):
    """Display of events, as lines, as JSON or as a live picture."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        ...

    def show(self, events: list[Event], runs: dict[str, Run]) -> None:
        """Show what happened next, and the runs as they are after it."""
        ...

    def show_live(self, reports: list[RunReport]) -> None:
        """Show what the commands of runs print while they run."""
        ...

    def tell(self, text: str) -> None:
        """Show a remark of this program's own."""
        ...

    def warn(self, text: str) -> None:
        """Show what is wrong with this program itself, outside of stdout where that is parsed."""
        ...

    def ask(self, question: str) -> None:
        """Show a question until an empty one replaces it."""
        ...

    def finish(self, runs: dict[str, Run], changes: dict[str, Changes]) -> None:
        """Show how it all ended, and the files of a single run; after the display was left."""
        ...


class RunFollower:
    """Stream of the events of runs, each once and in order, in whatever process they run."""

    def __init__(
        self,
        engine: EnginePort,
        runs: Iterable[Run],
        since: int | Mapping[str, int] = 0,
        until: asyncio.Future[None] | None = None,
        *,
        pulse_s: float | None = None,
    ) -> None:
        self.runs = {run.id: run for run in runs}
        self.faults = FaultNews(engine)
        self._engine = engine
        self._pulse_s = pulse_s  # so often `news` yields, whether or not there are any
        self._until = until  # as long as it is not done, a run that has ended may start again
        self._seen = dict.fromkeys(self.runs, since) if isinstance(since, int) else dict(since)
        self._forgotten = set[str]()

    def cost(self, run: Run) -> float | None:
        """Estimate the cost of a run; None where no price is known."""
        return self._engine.costs.of_run(run)

    def open_runs(self) -> list[Run]:
        """Return the runs that have not ended and were not forgotten."""
        live = (run for run in self.runs.values() if run.status in LIVE)
        return [run for run in live if run.id not in self._forgotten]

    def clock(self) -> float:
        """Return the time at which to show the runs; it stands still without a supervisor."""
        stands_at = self._engine.lookout.since
        return time.time() if stands_at is None else min(time.time(), stands_at)

    async def changes(self) -> dict[str, Changes]:
        """Return the changes of a single run, file by file, where they are known."""
        known: dict[str, Changes] = {}
        for run in self.runs.values():
            if len(self.runs) == 1 and run.changes.files:
                with suppress(UserError):
                    known[run.id] = await self._engine.workspaces.changes(run.id)
        return known

    def doing(self, run: Run, now: float) -> str:
        """Return the activity of a run at `now`, or what it waits for."""
        if run.status is not Status.QUEUED:
            return waiting.doing(run, now, None)
        waits = waiting.of_view(self._engine.view, self._engine, now)
        return waiting.doing(run, now, waits.get(run.id))

    async def news(self) -> AsyncGenerator[list[Event]]:
        """Yield past events and then new ones, until all runs have ended.

        An empty list: `faults` may have news. Raises `UserError` if nothing more can happen here.
        """
        batches = self._engine.batches()
        changed = list(self.runs)  # in the order in which they were named
        coming = asyncio.ensure_future(anext(batches))
        try:
            while True:
                for run_id in changed:
                    async for events in self._unseen(run_id):
                        yield events
                    if end := self._end_of_forgotten(run_id):
                        yield [end]
                open_ended = self._until is not None and not self._until.done()
                if not self.open_runs() and not open_ended:
                    return
                yield []
                self._engine.check_works()
                changed = list[str]()
                await self._wait(coming)
                if coming.done():
                    found = coming.result().runs
                    changed = [run_id for run_id in self.runs if run_id in found]
                    coming = asyncio.ensure_future(anext(batches))
        finally:
            coming.cancel()

    def _end_of_forgotten(self, run_id: str) -> Event | None:
        """Return the last event of a run that was forgotten, once."""
        if run_id not in self._engine.view.forgotten or run_id in self._forgotten:
            return None
        self._forgotten.add(run_id)
        self._seen[run_id] += 1
        attempt = self.runs[run_id].attempt
        return Event(run_id, self._seen[run_id], time.time(), attempt, RunForgotten())

    async def _wait(self, coming: asyncio.Future[EventBatch]) -> None:
        ends = () if self._until is None or self._until.done() else (self._until,)
        await asyncio.wait(
            (coming, *ends), timeout=self._pulse_s, return_when=asyncio.FIRST_COMPLETED
        )

    async def _unseen(self, run_id: str) -> AsyncGenerator[list[Event]]:
        """Yield a run's stored events after those seen, a page at a time."""
        while True:
            seen = self._seen[run_id]
            events = await self._engine.events(run_id, after=seen, limit=PAGE)
            if not events:
                return
            self._seen[run_id] = events[-1].seq
            self.runs[run_id] = fold(self.runs[run_id], events)
            yield events
            if len(events) < PAGE:
                return


async def follow(
    follower: RunFollower,
    display: RunDisplay,
    live: LiveReports | None = None,
    answers: AnswersInPlace | None = None,
) -> None:
    """Show what happens to the runs until all have ended; with `live`, also what commands print.

    With `answers`, requests of the agents are answered below the output.

    Whatever is written goes through a thread: a reader that is slow, or a terminal that was
    stopped with Ctrl-S, holds up nothing but its own output.
    """
    with display:
        async with answering(answers):
            async for events in follower.news():
                for line in follower.faults.lines():
                    await asyncio.to_thread(display.warn, line)
                if events:
                    await asyncio.to_thread(display.show, events, dict(follower.runs))
                    continue
                if answers:  # all that led to a request was shown
                    answers.update()
                if live and (reports := await read_live(live, display)):
                    await asyncio.to_thread(display.show_live, reports)
    await asyncio.to_thread(display.finish, follower.runs, await follower.changes())


async def read_live(live: LiveReports, display: RunDisplay) -> list[RunReport]:
    """Return the new live reports; why there are none, where they cannot be read, is shown."""
    try:
        return await live.read()
    except OSError as error:
        await asyncio.to_thread(display.warn, f"No live output: {error.strerror}")
        return []


def exit_code(runs: Iterable[Run]) -> int:
    """Return the exit code for runs that have ended: the common one where they failed alike."""
    codes = {_code(run) for run in runs} - {0}
    if not codes:
        return 0
    return codes.pop() if len(codes) == 1 else EXIT_FAILED


def _code(run: Run) -> int:
    if run.status is Status.SUCCEEDED:
        return 0
    if run.status is Status.CANCELLED:
        return EXIT_CANCELLED
    timed_out = run.error is not None and run.error.code == "RUN_TIMED_OUT"
    return EXIT_TIMED_OUT if timed_out else EXIT_FAILED
