"""The folders on this machine that commands of a run's agent may write in, as far as is known."""

from __future__ import annotations

from engine.config import workspace_roots
from engine.config.paths import Paths
from engine.domain.hosts import path_here
from engine.domain.model import Run, RunSpec


def writable_folders(paths: Paths, spec: RunSpec, run: Run | None = None) -> list[str]:
    """Return these folders, that of all workspaces and the source of the run included. Blocking."""
    found = [*map(str, workspace_roots.known(paths.home)), *spec.add_dirs]
    if spec.workspace.source and spec.workspace.source.startswith("/"):
        found.append(spec.workspace.source)
    if run and (path := path_here(run)):
        found.append(path)
    return list(dict.fromkeys(found))
