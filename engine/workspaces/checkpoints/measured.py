"""Measured changes of a run for its row: the count, and the files as far as they fit."""

from __future__ import annotations

from itertools import islice

from engine.domain.events import ChangesMeasured
from engine.domain.model import ChangeCount, Run
from engine.domain.text import printable_name
from engine.workspaces.checkpoints.changes import Changes

MAX_TOUCHED = 200


def touched(changes: Changes) -> tuple[str, ...]:
    """Return the changed paths, both of a renamed file, no more than a run's row can carry."""
    both = ((file.old_path, file.path) for file in changes.files)
    paths = (printable_name(path) for pair in both for path in pair if path is not None)
    return tuple(islice(paths, MAX_TOUCHED))


def measured(run: Run, total: ChangeCount, paths: tuple[str, ...]) -> list[ChangesMeasured]:
    """Return the event with the measured changes, where the run's row differs."""
    if total == run.changes and paths == run.touched:
        return []
    news = None if paths == run.touched else paths
    return [ChangesMeasured(total.files, total.insertions, total.deletions, news)]
