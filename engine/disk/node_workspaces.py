"""Workspaces on other machines: their sizes, and their removal there, which has no trash."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from engine.disk.cleanup_plan import CleanupCandidate, place_of
from engine.disk.locations import DiskLocation, LocationKind
from engine.domain.errors import UserError
from engine.domain.lifecycle import FINISHED
from engine.domain.model import LOCAL, Run
from engine.domain.text import printable_name

AWAY = "the size is unknown: the node does not answer"


@runtime_checkable
class RemoteFolders(Protocol):
    """The workspaces of a machine that measures and removes them; methods raise `UserError`."""

    async def sizes(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Return what workspaces take there, in bytes, of those that are there."""
        ...

    async def remove(self, run: str, path: str) -> bool:
        """Remove a workspace; False where that has to wait until the machine answers."""
        ...


class NodeWorkspaceSizes:
    """The sizes of workspaces on nodes; `machine` returns the workspaces of a machine."""

    def __init__(self, machine: Callable[[str], object] | None) -> None:
        self._machine = machine
        self._known: dict[tuple[str, str], int] = {}

    def of_host(self, host: str) -> RemoteFolders | None:
        """Return the workspaces of a machine; None where it cannot be asked."""
        try:
            found = self._machine(host) if self._machine else None
        except UserError:  # the cluster is not set any more
            return None
        return found if isinstance(found, RemoteFolders) else None

    async def places(self, runs: Iterable[Run]) -> list[tuple[DiskLocation, int, str]]:
        """Return the workspaces with their sizes, and the error where one is unknown."""
        found = await self._measured(runs)
        return [
            (
                DiskLocation(
                    LocationKind.NODE,
                    Path(place_of(run)),
                    printable_name(run.workspace.host),
                    run.id,
                    run.spec.project,
                    f"on {printable_name(run.workspace.host)}",
                ),
                size or 0,
                AWAY if size is None else "",
            )
            for run, size in found
            if run.workspace
        ]

    async def candidates(self, runs: Iterable[Run]) -> list[CleanupCandidate]:
        """Return what a clean-up may take there, with the changes that are not applied."""
        return [
            CleanupCandidate(
                run,
                size or 0,
                unsaved=_unsaved(run),
                unapplied=run.changes.files if _unsaved(run) else 0,
                is_size_known=size is not None,
            )
            for run, size in await self._measured(runs)
        ]

    async def _measured(self, runs: Iterable[Run]) -> list[tuple[Run, int | None]]:
        by_host: dict[str, list[Run]] = defaultdict(list)
        for run in runs:
            if run.workspace and run.workspace.host != LOCAL and not run.in_trash:
                by_host[run.workspace.host].append(run)
        found = await asyncio.gather(*(self._on(host, of) for host, of in by_host.items()))
        return [pair for pairs in found for pair in pairs]

    async def _on(self, host: str, runs: Sequence[Run]) -> list[tuple[Run, int | None]]:
        """Measure what is on a machine; its last answer counts while it does not answer."""
        paths = {run.id: run.workspace.path for run in runs if run.workspace}
        there = self.of_host(host)
        try:
            sizes = await there.sizes(list(paths.values())) if there else None
        except (UserError, OSError):
            sizes = None
        if sizes is None:
            return [(run, self._known.get((host, paths[run.id]))) for run in runs]
        self._known.update({(host, path): size for path, size in sizes.items()})
        return [(run, sizes[paths[run.id]]) for run in runs if paths[run.id] in sizes]


def _unsaved(run: Run) -> str:
    files = run.changes.files
    if run.status not in FINISHED or run.is_applied or not files:
        return ""
    return f"{files} changed file{'' if files == 1 else 's'} not applied"
