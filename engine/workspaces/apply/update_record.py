"""The record of a run's updates, brought to the state that its workspace is in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.config.locks import lock_for, locked
from engine.domain.base_update import WorkspaceUpdated
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, CheckpointTaken
from engine.domain.hosts import local_path
from engine.domain.lifecycle import FINISHED
from engine.domain.model import Run
from engine.domain.text import printable_name
from engine.workspaces.apply import update_notes
from engine.workspaces.apply.conflict_files import marked
from engine.workspaces.apply.update_notes import NotedState
from engine.workspaces.checkpoints.checkpoints import Checkpoints
from engine.workspaces.checkpoints.measured import measured, touched

SHOWN = 5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """The record of the updates of one home's runs; `append` stores what is decided on a run."""

    home: Path
    find: Callable[[str], Awaitable[Run]]
    append: Callable[[str, Callable[[Run], Sequence[Body]]], Awaitable[Run]]

    async def complete(self, run: Run, store: Checkpoints) -> Run:
        """Record an update, its undo or a restore whose program was killed before it could.

        Nothing is done while another program works in the workspace.
        """
        if run.workspace is None or run.status not in FINISHED or not store.root.is_dir():
            return run
        state = await update_notes.noted_state(store)
        if state is None or update_notes.is_same(run.updated, state.update):
            return run
        try:
            async with locked(lock_for(self.home, local_path(run.workspace)), 0.0):
                return await self.complete_held(await self.find(run.id), store)
        except UserError as error:
            _log.warning("run %s: its update is not recorded: %s", run.id, error.message)
            return run

    async def complete_held(self, run: Run, store: Checkpoints) -> Run:
        """Do what `complete` does; the caller holds the workspace."""
        state = await update_notes.noted_state(store)
        if state is None or update_notes.is_same(run.updated, state.update):
            return run
        update = await counting(store, state)
        changes = await store.changes()
        counted = changes.total, touched(changes)

        def decide(now: Run) -> list[Body]:
            news = [one for one in state.points if one.n > (now.checkpoint or 0)]
            taken = [CheckpointTaken(one.n, one.message, one.ref) for one in news]
            return [
                *taken,
                *update_notes.corrections(now.updated, update),
                *measured(now, *counted),
            ]

        return await self.append(run.id, decide)


async def counting(store: Checkpoints, state: NotedState) -> WorkspaceUpdated | None:
    """Return the update that counts, with the conflicts that are left in its files."""
    update, last = state.update, state.points[-1]
    if update is None or last.n == update.checkpoint + 1 or not update.conflicts:
        return update
    return replace(update, conflicts=await markers_left(store.root, update))


async def markers_left(root: Path, update: WorkspaceUpdated | None) -> tuple[str, ...]:
    """Return the files of an update's conflicts that still have conflict markers."""
    if update is None or not update.conflicts:
        return ()
    paths = [path.encode("utf-8", "surrogateescape") for path in update.conflicts]
    left = await asyncio.to_thread(marked, root, paths)
    return tuple(printable_name(path.decode("utf-8", "surrogateescape")) for path in left)


async def check_resolved(root: Path, update: WorkspaceUpdated | None) -> None:
    """Raise `UserError` APPLY_CONFLICT where conflict markers are left."""
    if left := await markers_left(root, update):
        message = f"Nothing was applied: {words(left)}."
        hint = "Edit the files, or have the agent resolve them: `swarm-tui update RUN --resolve`."
        raise user_error("APPLY_CONFLICT", message, hint)


def words(left: Sequence[str]) -> str:
    """Return the words for files that still have conflict markers."""
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return f"conflict markers are left in {', '.join(left[:SHOWN])}{more}"
