"""A run's checkpoints, taken as it works: what it can go back to, and what it has changed.

The first one in a workspace is its baseline. It is taken and stored as an event before the agent
starts, or never: everything that the run changes is measured against it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from itertools import count

from engine.domain.errors import UserError, os_failure, user_error
from engine.domain.events import Body, CheckpointTaken, Notice
from engine.domain.fault import error_line
from engine.domain.model import ChangeCount, Run, Workspace
from engine.domain.text import printable_name
from engine.domain.transient import transient
from engine.execution.host_workspaces import HostWorkspaces
from engine.execution.task_tree import SupervisedTask, TaskTree
from engine.workspaces.checkpoints.checkpoint_refs import BASELINE, REFS
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.measured import measured, touched

GAP_S = 2.0
REST_S = 300.0
"""The wait after an unchanged checkpoint, while no file is seen to change."""
COST_FACTOR = 10.0
"""A look at a workspace that takes a second is worth it every ten seconds."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 30.0
"""Between two tries: each time twice as long."""
TRIES = 6
"""Number of tries after a failure that need not pass; a full disk is waited for."""
POLL_S = 0.1

AppendBodies = Callable[[Sequence[Body]], Awaitable[None]]
Stop = Callable[[], bool]
_log = logging.getLogger(__name__)


class Checkpointer:
    """Checkpointer of one run's workspace; a failed checkpoint is shown, and repeated later.

    `turn` bounds how many are taken at a time, of all runs together.
    """

    def __init__(
        self,
        workspaces: HostWorkspaces,
        turn: asyncio.Semaphore,
        append: AppendBodies,
        tasks: TaskTree,
        rebuildable: Collection[str] = (),
    ) -> None:
        self._tasks = tasks
        self._workspaces = workspaces
        self._turn = turn
        self._append = append
        self._rebuildable = rebuildable
        self._steps = 0
        self._next_at = self._rest_s = 0.0
        self._seen = 0
        self._failures = 0
        """Number of tries that have failed since the last checkpoint."""
        self._last = BASELINE
        """The number of the checkpoint that was taken last."""
        self._store: tuple[Workspace, Checkpoints] | None = None
        self._measured: tuple[str, ChangeCount, tuple[str, ...]] | None = None
        """The tree that was measured last, and what it came to."""
        self._task: SupervisedTask | None = None

    async def begin(self, run: Run, stop: Stop) -> Sequence[Body] | None:
        """Take the checkpoint that an attempt starts from; None where `stop` came first.

        The first in a workspace becomes its baseline. Returns the events to store with the
        start: until then it is not reported. Raises `UserError` where it cannot be taken.
        """
        if run.baseline is False:
            raise user_error("CHANGES_UNKNOWN")
        return await self._insist(run, stop, "The agent waits for its first checkpoint")

    def start_if_due(self, run: Run, seen: int) -> None:
        """Take a checkpoint, in the background, if steps were done since the last one.

        `seen` counts how often a file was seen to change; where none was, there is no haste.
        """
        due_at = self._next_at + (self._rest_s if seen == self._seen else 0.0)
        due = time.monotonic() >= due_at and (run.tool_steps != self._steps or self._failures)
        if run.baseline and due and (self._task is None or self._task.is_done):
            self._seen = seen
            take = partial(self._try, run)
            self._task = self._tasks.start(f"checkpoint {run.id}", take, run=run.id)

    async def finish(self, run: Run, stop: Stop) -> None:
        """Take the last checkpoint of an attempt; where it cannot be taken, show that."""
        if self._task:
            await self._task.finish()
        if run.workspace is None or run.baseline is None:
            return
        try:
            if run.baseline is False:
                raise user_error("CHANGES_UNKNOWN")
            bodies = await self._insist(run, stop, "No last checkpoint yet", tries=TRIES)
            if bodies is not None:
                await self._append_any(bodies)
                await self._sync_work(run)
                return
            why = "nothing was waited for."
        except UserError as error:
            why = error.message
        words = f"the work after the last checkpoint is in no checkpoint: {why}"
        await self._append([Notice("warning", words, uncheckpointed=True)])

    async def _sync_work(self, run: Run) -> None:
        """Write the work itself to the disk before its end is reported; it is in a checkpoint."""
        if not self._store or not self._last:
            return
        try:
            await self._store[1].sync_work(self._last)
        except (UserError, OSError) as error:
            _log.warning("run %s: its files may not be on the disk yet: %s", run.id, error)

    async def close(self) -> None:
        """End what is still at work."""
        if self._task:
            self._task.cancel()
            await self._task.wait()

    async def _insist(
        self, run: Run, stop: Stop, words: str, tries: int | None = None
    ) -> Sequence[Body] | None:
        """Take a checkpoint, at the next try if need be; None where `stop` came first.

        Raises `UserError` after so many `tries`; None: a full disk and the like are waited
        for.
        """
        shown = ""
        for number in count(1):
            try:
                return await self._record(run)
            except UserError as error:
                is_waited = (tries is None and transient(error)) or error.entry.waits_for_node
                last = number >= (tries or TRIES) and not is_waited
                if last or error.entry.ends_checkpoints:
                    raise
                if error.message != shown:
                    shown = error.message
                    await self._append([Notice("warning", f"{words}, and tries again: {shown}")])
            if await _stopped(_delay_s(number), stop):
                return None
        raise AssertionError

    async def _try(self, run: Run) -> None:
        """Take a checkpoint; a failure is shown once, and the checkpoint repeated later."""
        try:
            await self._append_any(await self._record(run))
        except UserError as error:
            if self._failures == 1 and not error.entry.waits_for_node:
                words = f"no checkpoint, it is repeated later: {error.message}"
                await self._append([Notice("warning", words)])

    async def _record(self, run: Run) -> Sequence[Body]:
        """Take a checkpoint and return what is new; raises `UserError`."""
        self._steps = run.tool_steps
        started = time.monotonic()
        try:
            async with self._turn:
                started = time.monotonic()
                bodies = await self._taken(run)
        except Exception as error:
            self._failed(run, error)
            if isinstance(error, UserError):
                raise
            raise _as_user_error(error) from error
        now = time.monotonic()
        self._failures = 0
        self._next_at = now + max(GAP_S, COST_FACTOR * (now - started))
        self._rest_s = 0.0 if bodies else REST_S
        return bodies

    async def _append_any(self, bodies: Sequence[Body]) -> None:
        if bodies:
            await self._append(bodies)

    def _failed(self, run: Run, error: Exception) -> None:
        _log.warning("run %s: no checkpoint: %s", run.id, error)
        self._failures += 1
        self._store = None  # opened again, which finds out what is wrong with it
        self._next_at = time.monotonic() + max(GAP_S, _delay_s(self._failures))
        self._rest_s = 0.0

    async def _taken(self, run: Run) -> list[Body]:
        checkpoints = await self._opened(run)
        stage = run.stage.value if run.stage else run.status.value
        checkpoint = await checkpoints.record(stage)
        self._last = checkpoint.n
        bodies = self._rebuildable_notice(checkpoints, checkpoint.rebuildable)
        if run.baseline is None and checkpoint.n != BASELINE:  # a fork has that of the original
            bodies.append(CheckpointTaken(BASELINE, stage, f"{REFS}/{BASELINE}"))
        if run.checkpoint != checkpoint.n or run.baseline is None or run.uncheckpointed:
            bodies.append(CheckpointTaken(checkpoint.n, stage, checkpoint.ref))
        if self._measured is None or self._measured[0] != checkpoint.tree:
            changes = await checkpoints.changes(BASELINE, checkpoint.n)
            self._measured = checkpoint.tree, changes.total, touched(changes)
        _, total, paths = self._measured
        return bodies + measured(run, total, paths)

    def _rebuildable_notice(self, checkpoints: Checkpoints, folders: Sequence[str]) -> list[Body]:
        """Return a notice, once, of the folders that are left out of the changes."""
        if not folders or not checkpoints.first_shown():
            return []
        more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
        words = f"not part of the changes: {printable_name(folders[0])}{more}"
        return [Notice("info", f"{words} (cleanup.rebuildable: it can be made again)")]

    async def _opened(self, run: Run) -> Checkpoints:
        """Return the store of a run's workspace, made where it has no baseline yet."""
        assert run.workspace
        workspaces, workspace = self._workspaces, run.workspace
        if run.baseline is None:
            # The content was never reported: a try before this one was cut short.
            self._store = self._measured = None
            if fork := run.spec.fork:
                made = await workspaces.copy_checkpoints(run.id, workspace, fork)
            else:
                made = await workspaces.make_checkpoints(run.id, workspace, self._rebuildable)
            self._store = workspace, made
            return made
        if self._store is None or self._store[0] != workspace:
            self._store = workspace, await workspaces.open_checkpoints(run.id, workspace)
            self._measured = None
        return self._store[1]


def _as_user_error(error: Exception) -> UserError:
    """Return what went wrong as an error for the user."""
    if isinstance(error, OSError):
        return os_failure(error)
    return user_error("INTERNAL", f"A checkpoint failed: {error_line(error)}.")


def _delay_s(failures: int) -> float:
    """Return how long to wait after so many failures, in seconds."""
    return min(FIRST_DELAY_S * 2.0 ** min(failures - 1, 10), LONGEST_DELAY_S)


async def _stopped(delay_s: float, stop: Stop) -> bool:
    """Wait; True as soon as `stop` is true."""
    until = time.monotonic() + delay_s
    while not stop():
        left_s = until - time.monotonic()
        if left_s <= 0:
            return False
        await asyncio.sleep(min(POLL_S, left_s))
    return True
