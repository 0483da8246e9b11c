"""The environment of a run: that of the requesting process, and variables of its own.

It lies in a file of the run that only its owner can read. A run of an earlier version has none: the
environment of the supervising process stands in for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from engine.config import ports
from engine.config.paths import Paths, private_folder
from engine.domain.model import Run
from engine.system.environment import terminal_environment
from engine.system.files import read_regular


def encoded(variables: Mapping[str, str]) -> bytes:
    """Return variables as the content of a run's file; any bytes that they hold are kept."""
    return json.dumps(dict(variables), ensure_ascii=True).encode("ascii")


def requested(paths: Paths, run: str) -> Mapping[str, str]:
    """Return the environment that a run was requested with, or that of this process."""
    try:
        return _read(paths.environment(run))
    except FileNotFoundError:  # requested by an earlier version
        return os.environ


def named(paths: Paths, run: str) -> Mapping[str, str]:
    """Return the variables that the settings and the user named for a run on another machine."""
    try:
        return _read(paths.variables(run))
    except FileNotFoundError:
        return {}


def _read(path: Path) -> Mapping[str, str]:
    try:
        found = json.loads(read_regular(path))
    except ValueError as error:
        # Another environment could lead a run to another account or another database.
        raise OSError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise OSError(f"{path} is damaged: it holds no variables")
    pairs = cast("dict[object, object]", found).items()
    return {str(name): str(value) for name, value in pairs}


def of_run(paths: Paths, run: Run) -> dict[str, str]:
    """Return the environment of a run's programs; its folder for temporary files is made."""
    return {**requested(paths, run.id), **own(paths, run)}


def own(paths: Paths, run: Run) -> dict[str, str]:
    """Return the variables whose values a run has for itself."""
    found = {
        "SWARM_RUN": run.id,
        "SWARM_ATTEMPT": str(run.attempt),
        "TMPDIR": str(_temporary(paths, run.id)),
    }
    port = ports.assigned(paths, run.id)
    return found if port is None else {**found, "SWARM_PORT": str(port)}


def elsewhere(paths: Paths, run: Run, home: Paths) -> dict[str, str]:
    """Return the variables of a run that go to another machine, where its home is `home`.

    All else comes from the environment there. The folder for temporary files is made there.
    """
    found = {
        **named(paths, run.id),
        "SWARM_RUN": run.id,
        "SWARM_ATTEMPT": str(run.attempt),
        "TMPDIR": str(home.temporary(run.id)),
    }
    port = ports.assigned(paths, run.id)
    return found if port is None else {**found, "SWARM_PORT": str(port)}


def of_terminal(paths: Paths, run: Run) -> dict[str, str]:
    """Return the environment of a program that the user opens on this terminal for a run."""
    return {**of_run(paths, run), **terminal_environment()}


def _temporary(paths: Paths, run: str) -> Path:
    # The real path: in the sandbox only that can be written to.
    return Path(os.path.realpath(private_folder(paths.temporary(run))))
