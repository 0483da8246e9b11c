"""The run whose agent started the server."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from engine.config import run_environment
from engine.config.paths import Paths
from engine.domain.errors import os_failure
from engine.domain.lifecycle import LIVE
from engine.domain.model import LOCAL, Run
from engine.system.environment import OWN, current_folder


def find_surrounding(runs: Iterable[Run]) -> Run | None:
    """Return the live run in whose workspace this process was started; None outside of them.

    An agent that starts the server without --parent has no more rights for that.
    """
    live = [run for run in runs if run.status in LIVE]
    named = os.environ.get("SWARM_RUN")
    folder = current_folder()
    around = [(depth, run) for run in live if (depth := _depth_around(folder, run))]
    if around:  # workspaces can lie in the folder of a run in place: the inner one is its own
        return max(around, key=lambda one: one[0])[1]
    return next((run for run in live if run.id == named), None)


def _depth_around(folder: str, run: Run) -> int:
    """Return the depth of a run's workspace that has this folder in it; otherwise 0."""
    place = run.workspace
    if not folder or place is None or place.host != LOCAL:
        return 0
    root = Path(os.path.realpath(place.path))
    return len(root.parts) if Path(folder).is_relative_to(root) else 0


def take_environment(paths: Paths, run: str) -> None:
    """Set the variables of a run here, where its children get them: Codex passes on few.

    Raises `UserError`.
    """
    try:
        variables = run_environment.requested(paths, run)
    except OSError as error:
        raise os_failure(error) from error
    os.environ.update({name: it for name, it in variables.items() if name not in OWN})
