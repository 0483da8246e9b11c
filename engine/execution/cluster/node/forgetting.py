"""Runs forgotten on a node: their processes ended, their files, secrets and workspaces removed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from engine.config.paths import private_folder, safe_name
from engine.domain.model import WorkspaceKind, WorkspaceSpec
from engine.execution.cluster.messages import ForgetRun, ListRuns
from engine.execution.cluster.node.home import Handlers, NodeHome
from engine.execution.cluster.node.notes import Note, Notes
from engine.execution.executor import LivingAttempt
from engine.execution.local import orphans
from engine.workspaces.create import create
from engine.workspaces.create.worktree import clear


async def forget_run(home: NodeHome, message: ForgetRun) -> bool:
    """Remove all that is here of runs; it can be repeated."""
    for run in dict.fromkeys(message.runs):
        await forget(home, home.run(run))
    return True


async def list_runs(home: NodeHome, message: ListRuns) -> list[str]:
    """Return the runs with files or a workspace here."""
    return await asyncio.to_thread(_runs, home)


async def forget(home: NodeHome, run: str) -> None:
    """Remove all that is here of a run; raises OSError."""
    async with home.locked(run):
        for living in await orphans.find(home.paths):
            if living.run == run:
                await _end(home, living)
        home.forget(run)
        await asyncio.to_thread(_remove_workspaces, home, run)
        await asyncio.to_thread(_remove_files, home, run)


async def _end(home: NodeHome, living: LivingAttempt) -> None:
    # Also what outlives an agent otherwise: it works in the folder that is removed.
    await orphans.end(home.paths, living, 0)


def _remove_files(home: NodeHome, run: str) -> None:
    folder = home.paths.run(run)
    aside = private_folder(home.paths.forgotten) / folder.name
    # A killed try may have left some there: they are removed with these, or with the next run's.
    clear(aside)
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return
    clear(aside)


def _remove_workspaces(home: NodeHome, run: str) -> None:
    notes = Notes(home.paths)
    while note := notes.of_run(run):
        remove_workspace(home, note)


def remove_workspace(home: NodeHome, note: Note) -> None:
    """Remove a workspace, and then its note. Blocking; raises OSError."""
    spec = WorkspaceSpec(WorkspaceKind.COPY)
    if note.source and note.kind != WorkspaceKind.COPY.value:
        spec = WorkspaceSpec(WorkspaceKind.WORKTREE, note.source)
    create.discard(spec, Path(note.path), home.paths.home)
    clear(Path(note.path))
    Notes(home.paths).drop(note)


def _runs(home: NodeHome) -> list[str]:
    try:
        names = [path.name for path in (home.paths.home / "runs").iterdir()]
    except FileNotFoundError:
        names = []
    return sorted(name for name in names if safe_name(name) == name)


HANDLERS: Handlers = {ForgetRun: forget_run, ListRuns: list_runs}
