"""A run's checkpoints, taken as it works: what it can go back to, and what it has changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from engine.domain.errors import UserError
from engine.domain.events import Body, CheckpointTaken, Notice
from engine.domain.model import ChangeCount, Run, Workspace
from engine.paths import Paths
from engine.workspace.checkpoints import Checkpoints
from engine.workspace.measured import measured, touched
from engine.workspace.points import BASELINE

GAP_S = 2.0
REST_S = 300.0
"""After a look in vain, how long until the next where no file is seen to change."""
COST_FACTOR = 10.0
"""A look at a workspace that takes a second is worth it every ten seconds."""

Say = Callable[[Sequence[Body]], Awaitable[None]]
_log = logging.getLogger(__name__)


class Remembering:
    """Takes checkpoints of one run's workspace; a failure never fails the run, and is told once.

    `turn` bounds how many are taken at a time, of all runs together.
    """

    def __init__(self, paths: Paths, turn: asyncio.Semaphore, say: Say) -> None:
        self._paths = paths
        self._turn = turn
        self._say = say
        self._steps = 0
        self._next_at = self._rest_s = 0.0
        self._seen = 0
        self._failed = False
        self._store: tuple[Workspace, Checkpoints] | None = None
        self._measured: tuple[str, ChangeCount, tuple[str, ...]] | None = None
        """The tree that was measured last, and what it came to."""
        self._task: asyncio.Task[None] | None = None

    def look(self, run: Run, seen: int) -> None:
        """Take a checkpoint, in the background, if steps were done since the last one.

        `seen` counts how often a file was seen to change; where none was, there is no haste.
        """
        due_at = self._next_at + (self._rest_s if seen == self._seen else 0.0)
        due = time.monotonic() >= due_at and run.tool_steps != self._steps
        if due and (self._task is None or self._task.done()):
            self._seen = seen
            self._task = asyncio.create_task(self.take(run))

    async def take(self, run: Run) -> None:
        """Remember the workspace as it is, and tell what is new."""
        if run.workspace is None or self._failed:
            return
        self._steps = run.tool_steps
        took_s = 0.0
        bodies: Sequence[Body]
        try:
            async with self._turn:
                started = time.monotonic()
                bodies = await self._taken(run)
                took_s = time.monotonic() - started
        except (UserError, OSError) as error:
            _log.warning("run %s: no checkpoint: %s", run.id, error)
            self._failed = True
            bodies = [Notice("warning", f"no checkpoints and no count of changes: {error}")]
        self._next_at = time.monotonic() + max(GAP_S, COST_FACTOR * took_s)
        self._rest_s = 0.0 if bodies else REST_S
        if bodies:
            await self._say(bodies)

    async def close(self) -> None:
        """End what is still at work."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _taken(self, run: Run) -> list[Body]:
        checkpoints = await self._opened(run)
        stage = run.stage.value if run.stage else run.status.value
        checkpoint = await checkpoints.take(stage)
        bodies: list[Body] = []
        if run.checkpoint != checkpoint.n:
            bodies.append(CheckpointTaken(checkpoint.n, stage, checkpoint.ref))
        if self._measured is None or self._measured[0] != checkpoint.tree:
            changes = await checkpoints.changes(BASELINE, checkpoint.n)
            self._measured = checkpoint.tree, changes.total, touched(changes)
        _, total, paths = self._measured
        return bodies + measured(run, total, paths)

    async def _opened(self, run: Run) -> Checkpoints:
        """Give the store of a run's workspace, opened once: that asks git for what stays."""
        assert run.workspace
        if self._store is None or self._store[0] != run.workspace:
            folder = self._paths.checkpoints(run.id, run.workspace.path)
            self._store = run.workspace, await Checkpoints.open(folder, run.workspace)
            self._measured = None
        return self._store[1]
