"""The folders of a home that take room, and what each belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.agents import registry
from engine.agents.base import SessionFile
from engine.config import workspace_roots
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.hosts import path_here
from engine.domain.model import LOCAL, Run


class LocationKind(StrEnum):
    """A kind of location that uses disk space."""

    WORKSPACE = "workspace"
    FILES = "files"
    """A run's own files: the agent's output, checkpoints, artifacts."""
    DATABASE = "database"
    TRASH = "trash"
    AGENT = "codex"
    """An agent's own home, which is the user's: looked at, and no more."""
    ROLLOUT = "rollout"
    """A session file there of a run here, known or not; it counts in the sessions, too."""
    NODE = "node"
    """A workspace on another machine: it takes no room here."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DiskLocation:
    """A folder or file; `run` is empty where no run is known that it belongs to."""

    kind: LocationKind
    path: Path
    name: str
    run: str = ""
    project: str = ""
    state: str = ""
    """Of a session file: why it stays or may go."""
    may_go: bool = False


def find(
    paths: Paths, runs: Iterable[Run], projects: Mapping[str, str] | None = None
) -> list[DiskLocation]:
    """List the places of a home. Blocking; never follows a link.

    `runs` are those that may have a workspace, `projects` those of all runs; None: of `runs`.
    """
    standing = list(runs)
    known = {run.id: run.spec.project for run in standing} if projects is None else projects
    places = workspaces(paths, standing)
    for path in _folders(paths.home / "runs"):
        project = known.get(path.name, "")
        places.append(
            DiskLocation(LocationKind.FILES, path, path.name, _known(path.name, known), project)
        )
    for trash in workspace_roots.trashes(paths):
        for path in _folders(trash):
            run = path.name.rpartition("-")[2]
            places.append(DiskLocation(LocationKind.TRASH, path, path.name, _known(run, known)))
    taken = {paths.workspaces, paths.home / "runs", paths.trash, paths.forgotten}
    for path in _entries(paths.home):
        if path not in taken:
            is_database = path.name.startswith(paths.database.name)
            kind = LocationKind.DATABASE if is_database else LocationKind.OTHER
            places.append(DiskLocation(kind, path, path.name))
    return places


def workspaces(paths: Paths, runs: Iterable[Run]) -> list[DiskLocation]:
    """List the workspaces that stand, those that fresh starts left behind too. Blocking."""
    known = {run.id: run for run in runs}
    owners = {path: run.id for run in known.values() if (path := path_here(run))}
    places: list[DiskLocation] = []
    for root in workspace_roots.known(paths.home):
        for project in _folders(root):
            for path in _folders(project):
                # A fresh start makes `<run>-<attempt>` beside `<run>`.
                run = owners.get(str(path)) or _known(path.name.partition("-")[0], known)
                if run or root == paths.workspaces:  # elsewhere the user may have other folders
                    place = DiskLocation(LocationKind.WORKSPACE, path, path.name, run, project.name)
                    places.append(place)
    return places


def elsewhere(runs: Iterable[Run]) -> list[Run]:
    """Return the runs whose workspace is on another machine. Blocking: runs may be at rest."""
    return [run for run in runs if run.workspace and run.workspace.host != LOCAL]


def named_runs(paths: Paths) -> list[str]:
    """Return the names that workspaces on the disk have, and may be those of runs. Blocking."""
    folders = (
        path.name
        for root in workspace_roots.known(paths.home)
        for project in _folders(root)
        for path in _folders(project)
    )
    # A fresh start makes `<run>-<attempt>` beside `<run>`.
    return list({name for folder in folders for name in (folder, folder.partition("-")[0])})


def of_agents(config: Config) -> list[DiskLocation]:
    """List what the agents keep in the user's own home, and in those of accounts. Blocking."""
    kept = [
        place
        for agent in registry.agents()
        for place in agent.kept_files(agent.accounts.homes(config))
    ]
    return [DiskLocation(LocationKind.AGENT, path, name) for path, name in kept]


def of_session(one: SessionFile) -> DiskLocation:
    """Return the place that a session file is."""
    run, project = (one.run.id, one.run.project) if one.run else ("", "")
    return DiskLocation(
        LocationKind.ROLLOUT, one.path, one.path.name, run, project, one.state, one.may_go
    )


def _known(name: str, runs: Mapping[str, object]) -> str:
    return name if name in runs else ""


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if not entry.is_symlink())
    except OSError:
        return []


def _folders(folder: Path) -> list[Path]:
    if folder.is_symlink():
        return []
    return [path for path in _entries(folder) if path.is_dir()]
