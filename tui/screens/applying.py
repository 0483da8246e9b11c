"""Checks and applies of several runs, one after another, with their progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from engine.domain.apply_outcome import ApplyOutcome
from engine.domain.errors import UserError
from engine.engine import ApplyMode, ApplyOptions, RunApplied, apply_run
from tui.formatting import apply_rows
from tui.formatting.apply_rows import ApplyRow
from tui.formatting.work_progress import WorkProgress

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

MANY, EVERY = 100, 20
"""Files of a run from which on they are counted, and how often that is shown."""


class RunApplies:
    """Runs to apply. A run that does not fit is passed over.

    `drawn` is called with the place of a row that changed, or with None where only progress did.
    """

    def __init__(
        self, engine: EnginePort, rows: Sequence[ApplyRow], drawn: Callable[[int | None], object]
    ) -> None:
        self.rows = rows
        self._engine, self._drawn = engine, drawn
        self._work: WorkProgress | None = None
        """Progress of an apply, or of requests to agents."""
        self._checks: WorkProgress | None = None
        """Progress of the checks of several runs."""
        self._files: WorkProgress | None = None
        """Progress within the present run, where it has many files."""
        self.is_stopping = False
        self._present: asyncio.Task[RunApplied] | None = None
        self.is_over = False
        """True if the runs were applied, as far as they fitted."""

    @property
    def is_working(self) -> bool:
        """True during an apply, or while agents are asked."""
        return self._work is not None

    @property
    def is_all(self) -> bool:
        """True if all were applied."""
        return all(row.is_applied for row in self.rows)

    @property
    def unapplied(self) -> list[int]:
        """Return the places of the runs that are to be checked."""
        rows = enumerate(self.rows)
        return [place for place, row in rows if not (row.is_applied or row.is_handed_over)]

    @property
    def conflicts(self) -> list[int]:
        """Return the places of the runs that did not fit: with others applied, they may fit now."""
        rows = enumerate(self.rows)
        return [place for place, row in rows if row.conflicts and not row.is_handed_over]

    @property
    def progress(self) -> str:
        """The present work, its count and about the time left; empty where there is none."""
        if self._work:
            words = self._words(self._work, self._files)
            return f"Stopping … · {words}" if self.is_stopping else f"{words} · esc stops"
        return self._checks.words if self._checks else ""

    @staticmethod
    def _words(work: WorkProgress, files: WorkProgress | None) -> str:
        if work.of == 1:
            return files.words if files else f"{work.what} …"
        return f"{work.words} · {files.done:,} of {files.of:,} files" if files else work.words

    async def check(self, places: Sequence[int], how: ApplyMode) -> None:
        """Check these rows with a mode."""
        options = ApplyOptions(how, check=True)
        checks = WorkProgress("Checking", len(places))
        self._checks = checks if len(places) > 1 else None
        try:
            for done, place in enumerate(places, start=1):
                row = self.rows[place]
                row.checked = await apply_run(self._engine.workspaces, row.run.id, options)
                checks.at(done)
                self._drawn(place)
        finally:
            if self._checks is checks:  # no other checks were begun
                self._checks = None
                self._drawn(None)

    def begin(self, what: str) -> None:
        """Show that an apply or requests begin: from now on, nothing else can."""
        self._work, self.is_stopping = WorkProgress(what), False

    async def apply(self, how: ApplyMode, message: str) -> None:
        """Apply the rows that may fit, in order; `message` is the commit's, of a single run."""
        waiting = [place for place, row in enumerate(self.rows) if row.can_apply]
        await self._in_turn(waiting, partial(self._apply_row, how=how, message=message))

    async def hand_over(self) -> None:
        """Hand each conflict to the agent of its run."""
        waiting = [place for place, row in enumerate(self.rows) if row.can_resolve]
        await self._in_turn(waiting, self._resolve_row)

    async def _in_turn(self, places: Sequence[int], step: Callable[[int], Awaitable[None]]) -> None:
        try:
            for done, place in enumerate(places):
                if self._work:
                    self._work.at(done, len(places))
                await step(place)
                self._drawn(place)
        finally:
            self._work, self.is_over = None, True

    def stop(self) -> None:
        """End before the next file is in its place."""
        self.is_stopping = True
        if self._present:
            self._present.cancel()

    async def _apply_row(self, place: int, how: ApplyMode, message: str) -> None:
        row = self.rows[place]
        row.checked, row.is_stopped = None, self.is_stopping
        if not self.is_stopping:
            row.is_busy = True
            self._drawn(place)
            try:
                row.done = await self._apply_run(row, how, message)
            except asyncio.CancelledError:
                if not self.is_stopping:
                    raise
                row.is_stopped = True
            row.is_busy = False

    async def _apply_run(self, row: ApplyRow, how: ApplyMode, message: str) -> RunApplied:
        """Apply one run; nothing of it keeps the next from being applied."""
        if how is ApplyMode.PATCH:
            try:
                path = await self._engine.workspaces.save_patch(row.run.id)
            except UserError as error:
                return RunApplied(row.run.id, ApplyOutcome.SKIPPED, error=error)
            row.words = f"patch saved: {path}. `git apply` takes it."
            return RunApplied(row.run.id, ApplyOutcome.APPLIED)
        looked = partial(asyncio.get_running_loop().call_soon_threadsafe, self._count)
        options = ApplyOptions(how, message=message, looked=looked)
        work = apply_run(self._engine.workspaces, row.run.id, options)
        self._present = asyncio.ensure_future(work)
        try:
            done = await self._present
        finally:
            self._present = self._files = None
        row.words = apply_rows.done_words(row.run, how, done.result)
        return done

    def _count(self, done: int, of: int) -> None:
        """Show the number of files of the present run, where there are many."""
        if self._present and of >= MANY and done % EVERY == 0:
            self._files = self._files or WorkProgress("Applying files")
            self._files.at(done, of)
            self._drawn(None)

    async def _resolve_row(self, place: int) -> None:
        """Update a run onto its base; where that conflicts, its agent is asked to resolve it."""
        if self.is_stopping:
            return
        row = self.rows[place]
        try:
            done = await self._engine.updates.resolve(row.run.id)
        except UserError as error:
            row.note = f"{error.message} {error.recovery}"
            return
        row.is_handed_over = done.is_resumed
        row.note = apply_rows.RESUMED if done.is_resumed else apply_rows.UPDATED
