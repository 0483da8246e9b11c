"""Rules for runs that are to be forgotten: decided on the runs as they are stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.domain.errors import user_error
from engine.domain.hosts import path_here
from engine.domain.lifecycle import FINISHED, status_words
from engine.domain.model import Run, WorkspaceKind


def check_forgettable(runs: Sequence[Run], live: Iterable[Run]) -> None:
    """Raise `UserError` if one of `runs` may not be forgotten; `live` are all not ended."""
    for run in runs:
        if run.status not in FINISHED:
            message = f"The run {run.id} {status_words(run.status)}."
            raise user_error("RUN_NOT_ENDED", message, "Cancel it first.")
    ids = {run.id for run in runs}
    paths = {path_here(run): run.id for run in runs if path_here(run)}
    for other in live:
        if needed := _needed_by(other, ids, paths):
            message = f"The run {other.id} {status_words(other.status)}, and needs {needed}."
            recovery = f"Wait for its end, or cancel it with `swarm-tui cancel {other.id}`."
            raise user_error("RUN_NEEDED", message, recovery)


def _needed_by(run: Run, ids: set[str], paths: dict[str, str]) -> str:
    """Return the run among `ids` that a run waits for or is made from, or an empty string."""
    for after in run.spec.after:
        if after in ids:
            return after
    origin = run.spec.fork
    if origin and origin.run in ids and (run.workspace is None or run.thread_id is None):
        return origin.run
    wish = run.spec.workspace
    if wish.kind is not WorkspaceKind.FROM_RUN or run.workspace is not None or not wish.source:
        return ""
    return wish.source if wish.source in ids else paths.get(wish.source, "")
