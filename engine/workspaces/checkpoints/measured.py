"""What a run's row says of its changes: how many, and which files, as far as it can carry them."""

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
    """Give the event that says so, where the run's row says something else."""
    if total == run.changes and paths == run.touched:
        return []
    news = None if paths == run.touched else paths
    return [ChangesMeasured(total.files, total.insertions, total.deletions, news)]
