"""The pull requests of runs, read with `gh`: on demand, and by the supervising engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import monotonic

from engine.config.paths import Paths
from engine.domain.errors import UserError, user_error
from engine.domain.model import Run
from engine.domain.projection import View
from engine.domain.pull_request import PullRequestSeen, current_url, is_followed, number_of
from engine.domain.push import BranchPushed
from engine.execution.journal import Journal
from engine.runs.finder import find_run
from engine.store.reading import StoreReader
from engine.store.run_facts import with_pull_requests

FIRST_S = 15.0
LOOK_S = 5.0
AT_ONCE = 3
"""Pull requests that are read at a time."""
LONGEST_S = 3600.0
"""The longest pause after failures."""


class RunPullRequests:
    """Pull requests of the runs of one home; every method raises `UserError`."""

    def __init__(self, paths: Paths, store: StoreReader, journal: Journal) -> None:
        self._paths = paths
        self._store = store
        self._journal = journal

    async def followed(self) -> list[Run]:
        """Return the runs whose pull request may still change, newest first."""
        return [run for run in await with_pull_requests(self._store) if is_followed(run)]

    async def refresh(self, run: str) -> Run:
        """Read the pull request of a run, and store its state if it has changed.

        Where none was opened here, the one for the pushed branch is looked up. A failure is
        stored once, until one is read again.
        """
        from engine.workspaces.git import gh, pull_request_state

        known = await find_run(self._store, run)
        if known.pushed is None:
            raise _missing(known)
        program = gh.program()
        if program is None:
            raise pull_request_state.unreadable("gh is not installed")
        url, pushed = current_url(known), known.pushed
        try:
            url = url or await pull_request_state.find(program, pushed, self._paths.home)
            if not url:
                raise _missing(known)
            commit = pushed.commit
            seen = await pull_request_state.read(program, url, commit, self._paths.home)
        except UserError as error:
            if url:
                await self._note(known, url, error.message)
            raise
        return await self._record(known.id, pushed, lambda _: seen)

    async def _note(self, run: Run, url: str, problem: str) -> None:
        def seen(current: Run) -> PullRequestSeen:
            before = current.pull_request or PullRequestSeen(url, number_of(url))
            return before if before.problem else replace(before, problem=problem)

        assert run.pushed
        await self._record(run.id, run.pushed, seen)

    async def _record(
        self, run: str, pushed: BranchPushed, make: Callable[[Run], PullRequestSeen]
    ) -> Run:
        """Store the state, unless it is the same, or another branch was pushed meanwhile."""

        def decide(current: Run) -> Sequence[PullRequestSeen]:
            seen = make(current)
            is_new = current.pushed == pushed and current.pull_request != seen
            return [seen] if is_new else []

        return await self._journal.change(run, decide)


class PullRequestUpdates:
    """Updates of open pull requests from time to time, by the engine that supervises.

    One that cannot be read is read again after twice the time, and so on.
    """

    def __init__(
        self,
        view: View,
        refresh: Callable[[str], Awaitable[object]],
        every_s: float | None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._view = view
        self._refresh = refresh
        self._every_s = every_s
        self._clock = clock
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    async def run(self) -> None:
        """Read those that are due, until cancelled; without an interval, none."""
        if self._every_s is None:
            return
        await asyncio.sleep(FIRST_S)
        while True:
            await self.check()
            await asyncio.sleep(LOOK_S)

    async def check(self) -> None:
        """Read those that are due, a few at a time; nothing without `gh`."""
        followed = {run.id for run in self._view.runs.values() if is_followed(run)}
        self._due = {run: self._due.get(run, 0.0) for run in followed}
        due = sorted((at, run) for run, at in self._due.items() if at <= self._clock())
        if not due:
            return
        from engine.workspaces.git import gh

        if await asyncio.to_thread(gh.program):
            await asyncio.gather(*(self._read(run) for _, run in due[:AT_ONCE]))

    async def _read(self, run: str) -> None:
        try:
            await self._refresh(run)
            self._failures.pop(run, None)
        except UserError:  # it is noted with the run
            self._failures[run] = self._failures.get(run, 0) + 1
        wait_s = (self._every_s or 0.0) * 2.0 ** min(self._failures.get(run, 0), 20)
        self._due[run] = self._clock() + min(wait_s, max(LONGEST_S, self._every_s or 0.0))


def _missing(run: Run) -> UserError:
    message = f"The run {run.id} has no pull request."
    return user_error("INPUT_INVALID", message, "Open one with `swarm-tui push RUN --pr`.")
