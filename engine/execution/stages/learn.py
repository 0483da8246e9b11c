"""Patterns recorded from runs that succeeded, for later ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from engine.domain import pattern
from engine.domain.errors import UserError
from engine.domain.events import Body, Notice, Progressed
from engine.domain.fault import error_line
from engine.domain.model import Run, Stage
from engine.store.store import Store

PERCENT = 80
LIMIT_S = 5.0
AppendBodies = Callable[[Sequence[Body]], Awaitable[None]]
_log = logging.getLogger(__name__)


class PatternRecorder:
    """Recorder of one run's pattern, without questions; a failure never fails the run."""

    def __init__(self, store: Store, append: AppendBodies) -> None:
        self._store = store
        self._append = append

    async def learn(self, run: Run) -> None:
        """Keep what worked in a run that has just succeeded."""
        if run.stage is not Stage.EXTRACTING_PATTERNS:
            await self._append([Progressed(Stage.EXTRACTING_PATTERNS, "learning", PERCENT)])
        try:
            async with asyncio.timeout(LIMIT_S):
                await distil(self._store, run)
        except (UserError, TimeoutError) as error:
            _log.warning("run %s: nothing is learned: %s", run.id, error)
        except Exception as error:  # whatever it is, the work is done and has succeeded
            _log.exception("run %s: nothing is learned", run.id)
            await self._append([Notice("warning", f"no pattern was kept: {error_line(error)}")])


async def distil(store: Store, run: Run) -> str | None:
    """Store the pattern of a run and return its id; None where there is nothing to learn."""
    done = await store.steps(run.id)
    found = await asyncio.to_thread(pattern.extract, run, done)
    if found is None:
        return None
    id = await asyncio.to_thread(pattern.id_of, run.spec.prompt, run.spec.template)
    await store.keep_pattern(id, found, run=run.id)
    return id
