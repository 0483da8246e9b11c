"""A run's workspace made, as the first of its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from engine.domain.events import Body, Progressed
from engine.domain.model import Run, Stage
from engine.paths import Paths
from engine.workspace.create import make
from engine.workspace.worktree import Made

Say = Callable[[Sequence[Body]], Awaitable[None]]


class Preparing:
    """Prepares one run; `stop_asked` says that it was cancelled."""

    def __init__(self, paths: Paths, say: Say, stop_asked: Callable[[], bool]) -> None:
        self._paths = paths
        self._say = say
        self._stop_asked = stop_asked
        self._closing = False

    async def make(self, run: Run) -> Made | None:
        """Make the workspace; None where a cancel came in between. Raises `UserError`."""
        await self._say([Progressed(Stage.WORKSPACE_PREP, "preparing the workspace", 0)])
        # A fresh start gets a folder of its own: what was done before stays where it is.
        name = run.id if run.workspace is None else f"{run.id}-{run.attempt}"
        target = self._paths.workspace(run.spec.project, name)
        making = asyncio.create_task(
            asyncio.to_thread(make, run.spec.workspace, target, self._paths.home, self._stop)
        )
        try:
            return await asyncio.shield(making)
        except InterruptedError:
            return None
        except asyncio.CancelledError:
            self._closing = True
            await asyncio.wait({making})  # the next engine must find nobody at work there
            raise

    def _stop(self) -> bool:
        return self._closing or self._stop_asked()
