"""Another process that supervises this home when nobody looks any more."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from engine.open_files import with_own_limit
from engine.paths import Paths
from engine.runs.owner import Ownership


def start_if_needed(paths: Paths, command: Sequence[str]) -> bool:
    """Start `command` in a session of its own unless somebody supervises; tell whether it was.

    Call it after what is to be supervised is stored: who is about to leave looks once more after
    giving up the lock.
    """
    ownership = Ownership(paths.lock)
    if not ownership.take():
        return False
    ownership.give_up()
    log = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            with_own_limit(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path("/"),
            env={**os.environ, "SWARM_HOME": str(paths.home), "SWARM_CONFIG": str(paths.config)},
            start_new_session=True,
        )
    finally:
        os.close(log)
    child.returncode = 0  # it outlives us: Python is not to warn of it
    return True
