"""Processes that a dead engine left and that no live run owns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.config.paths import AttemptFolder, Paths
from engine.domain.model import Run
from engine.execution.executor import LivingAttempt
from engine.execution.local import process, process_marks


async def find(paths: Paths, spare: Sequence[str] = ()) -> list[LivingAttempt]:
    """Find the living processes of this home's attempts: of live runs too, see `of_ended`.

    Processes with one of the words `spare` in their command line are left out.
    """
    found = await asyncio.to_thread(_found, spare)
    runs = Path(os.path.realpath(paths.home)) / "runs"
    ours = sorted((Path(value), pids) for value, pids in found.items())
    return [
        LivingAttempt(name, str(Path(*attempt)), tuple(sorted(pids)))
        for folder, pids in ours
        if folder.is_relative_to(runs)
        for name, *attempt in (folder.relative_to(runs).parts,)
        if attempt
    ]


def _found(spare: Sequence[str]) -> dict[str, list[int]]:
    found = process_marks.marks()
    if not spare:
        return found
    left = {
        mark: [pid for pid in pids if not process_marks.has_word(pid, spare)]
        for mark, pids in found.items()
    }
    return {mark: pids for mark, pids in left.items() if pids}


def of_ended(
    found: Iterable[LivingAttempt], paths: Paths, live: Iterable[Run]
) -> list[LivingAttempt]:
    """Leave out the attempts that live runs are at.

    `live` is to be asked for after `find`: a run is stored as live before its process is started.
    """
    busy = {paths.attempt(run.id, run.attempt).path.parts[-2:] for run in live}
    return [orphan for orphan in found if (orphan.run, Path(orphan.attempt).parts[0]) not in busy]


async def end(
    paths: Paths, orphan: LivingAttempt, grace_s: float, spare: Sequence[str] = ()
) -> None:
    """End an orphan and all that belongs to it."""
    folder = AttemptFolder(paths.run(orphan.run) / orphan.attempt)
    found = process.AttemptProcess(folder, process.NOBODY, None)
    found.spare = spare
    await found.stop(grace_s)
