"""The project of a run where none is named: one a repository, also where folders share a name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from engine.domain.model import Run, RunSpec, WorkspaceKind, WorkspaceSpec
from engine.system.files import real_path
from engine.workspaces.git.repository import locate

LOOKED_AT = 20
"""Runs of a label that are compared."""
PARTS = 4
"""A label has at most so many folders of the source's path."""


async def project_label(spec: RunSpec, runs: Callable[[str], Awaitable[Sequence[Run]]]) -> str:
    """Return the project of a run: its folder's name, longer where another repository has that.

    `runs` returns runs of a project, the newest first. A name that the user chose is kept.
    """
    wish = spec.workspace
    is_chosen = not wish.source or spec.project != Path(wish.source).name
    if is_chosen or wish.kind in (WorkspaceKind.FROM_RUN, WorkspaceKind.EMPTY):
        return spec.project
    own = await asyncio.to_thread(_key, wish)
    for label in _labels(Path(wish.source or "")):
        others = [run.spec.workspace for run in await runs(label)]
        keys = await asyncio.to_thread(_keys, others)
        if not keys or own in keys:
            return label
    return str(wish.source)


def _labels(source: Path) -> Iterator[str]:
    parts = [part for part in source.parts if part != source.anchor]
    for count in range(1, min(len(parts), PARTS) + 1):
        yield "/".join(parts[-count:])


def _keys(wishes: Sequence[WorkspaceSpec]) -> set[Path | None]:
    return {_key(wish) for wish in wishes}


def _key(wish: WorkspaceSpec) -> Path | None:
    """Return the repository of a source, or the folder itself where there is none. Blocking."""
    if not wish.source:
        return None
    source = real_path(wish.source)
    found = locate(source) if source.is_dir() else None
    return real_path(found[1]) if found else source
