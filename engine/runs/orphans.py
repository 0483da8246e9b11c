"""Processes that a dead engine left and that no live run owns."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engine.paths import AttemptFolder, Paths
from engine.runs import process


@dataclass(frozen=True, slots=True)
class Orphan:
    """An attempt whose run has ended, with the processes that are still alive."""

    run: str
    attempt: str
    pids: tuple[int, ...]


async def find(paths: Paths, live: Collection[str]) -> list[Orphan]:
    """Find what is alive of this home's attempts, the runs in `live` apart."""
    found = await asyncio.to_thread(process.marks)
    orphans: list[Orphan] = []
    for value, pids in sorted(found.items()):
        folder = AttemptFolder(Path(value))
        run = folder.path.parent.name
        if folder.path.parent.parent == paths.home / "runs" and run not in live:
            orphans.append(Orphan(run, folder.path.name, tuple(sorted(pids))))
    return orphans


async def end(paths: Paths, orphan: Orphan, grace_s: float) -> None:
    """End an orphan and all that belongs to it."""
    folder = AttemptFolder(paths.run(orphan.run) / orphan.attempt)
    await process.Process(folder, orphan.pids[0], None).stop(grace_s)
