"""The folders of a home that take room, and what each belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.domain.model import Run
from engine.paths import Paths


class PlaceKind(StrEnum):
    """What takes room."""

    WORKSPACE = "workspace"
    FILES = "files"
    """A run's own files: what Codex said, checkpoints, artifacts."""
    DATABASE = "database"
    TRASH = "trash"
    CODEX = "codex"
    """Codex's own home, which is the user's: looked at, never cleaned."""
    ROLLOUT = "rollout"
    """A run's session file there; it counts in the sessions, too."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or file; `run` is empty where no run is known that it belongs to."""

    kind: PlaceKind
    path: Path
    name: str
    run: str = ""
    project: str = ""


def find(paths: Paths, runs: Iterable[Run], codex_home: Path) -> list[Place]:
    """List the places of a home and of Codex's. Blocking; never follows a link."""
    known = {run.id: run for run in runs}
    places = workspaces(paths, known.values())
    for path in _folders(paths.home / "runs"):
        project = known[path.name].spec.project if path.name in known else ""
        places.append(Place(PlaceKind.FILES, path, path.name, _known(path.name, known), project))
    for path in _folders(paths.trash):
        run = path.name.rpartition("-")[2]
        places.append(Place(PlaceKind.TRASH, path, path.name, _known(run, known)))
    taken = {paths.workspaces, paths.home / "runs", paths.trash}
    for path in _entries(paths.home):
        if path not in taken:
            is_database = path.name.startswith(paths.database.name)
            kind = PlaceKind.DATABASE if is_database else PlaceKind.OTHER
            places.append(Place(kind, path, path.name))
    return places + _of_codex(codex_home, {run.thread_id: run for run in known.values()})


def workspaces(paths: Paths, runs: Iterable[Run]) -> list[Place]:
    """List the workspaces that stand, those that fresh starts left behind too. Blocking."""
    known = {run.id: run for run in runs}
    owners = {run.workspace.path: run.id for run in known.values() if run.workspace}
    places: list[Place] = []
    for project in _folders(paths.workspaces):
        for path in _folders(project):
            # A fresh start makes `<run>-<attempt>` beside `<run>`.
            run = owners.get(str(path)) or _known(path.name.partition("-")[0], known)
            places.append(Place(PlaceKind.WORKSPACE, path, path.name, run, project.name))
    return places


def _of_codex(home: Path, threads: Mapping[str | None, Run]) -> list[Place]:
    places: list[Place] = []
    for path in _entries(home):
        if path.name == "sessions":
            places += _sessions(path, threads)
        else:
            places.append(Place(PlaceKind.CODEX, path, path.name))
    return places


def _sessions(folder: Path, threads: Mapping[str | None, Run]) -> list[Place]:
    """Give the rollout files of our threads one by one, the others by the year.

    Codex keeps them as `sessions/<year>/<month>/<day>/rollout-<time>-<thread>.jsonl`.
    """
    places = [Place(PlaceKind.CODEX, year, f"sessions/{year.name}") for year in _entries(folder)]
    for day in (d for y in _folders(folder) for m in _folders(y) for d in _folders(m)):
        for path in _entries(day):
            run = threads.get(path.stem[-36:])
            if run:
                place = Place(PlaceKind.ROLLOUT, path, path.name, run.id, run.spec.project)
                places.append(place)
    return places


def _known(name: str, runs: Mapping[str, Run]) -> str:
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
