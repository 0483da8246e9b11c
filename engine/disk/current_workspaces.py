"""The workspaces that stand: what each run has now, and what its fresh starts left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engine.config.paths import Paths
from engine.disk import locations
from engine.domain.hosts import path_here
from engine.domain.model import Run, WorkspaceKind
from engine.domain.projection import fold
from engine.store.standing import candidates_at_rest, standing_candidates
from engine.store.store import Store


async def candidates(store: Store, paths: Paths) -> list[Run]:
    """Return the runs that may have a workspace: not those whose folder was deleted and is gone.

    Those that ended are at rest: to read more of them than their row takes a thread.
    """
    named = await asyncio.to_thread(locations.named_runs, paths)
    return await candidates_at_rest(store, named)


async def standing(store: Store, paths: Paths, runs: Iterable[Run] | None = None) -> list[Run]:
    """Return the runs whose workspace exists, one for each workspace; of `runs`, or of all.

    A workspace that a fresh start left comes with its run as it was then.
    """
    known = list(await _whole(store, paths) if runs is None else runs)
    found = await asyncio.to_thread(locations.workspaces, paths, known)
    there = {place.path: place.run for place in found}
    by_id = {run.id: run for run in known}

    def look() -> tuple[list[Run], set[Path]]:
        now = [run for run in known if _is_there(run)]
        return now, {Path(path_here(run)) for run in now}

    now, own = await asyncio.to_thread(look)
    left = [(path, by_id[run]) for path, run in there.items() if run and path not in own]
    earlier = [await _as_it_was(store, run, path) for path, run in left]
    return [*now, *(run for run in earlier if run)]


async def _whole(store: Store, paths: Paths) -> list[Run]:
    named = await asyncio.to_thread(locations.named_runs, paths)
    return await standing_candidates(store, named)


def _is_there(run: Run) -> bool:
    workspace, path = run.workspace, path_here(run)
    return (
        workspace is not None
        and workspace.kind is not WorkspaceKind.IN_PLACE
        and bool(path)
        and Path(path).is_dir()
    )


async def _as_it_was(store: Store, run: Run, path: Path) -> Run | None:
    then, found = Run(run.id, run.spec, run.created_at), None
    for event in await store.events(run.id, kinds=["progress", "status", "checkpoint", "notice"]):
        then = fold(then, [event])
        if path_here(then) == str(path):
            found = then
        elif found:
            break
    if found is None:
        return None
    return replace(
        run,
        workspace=found.workspace,
        baseline=found.baseline,
        checkpoint=found.checkpoint,
        applied=found.applied,
        in_trash=False,
    )
