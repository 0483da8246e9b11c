"""Background supervisor: a process that supervises this home when no face is open."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from engine.config.paths import Paths
from engine.execution.supervisor_status import read_holder
from engine.system.environment import own_environment
from engine.system.open_files import with_own_limit


class BackgroundProcess:
    """A process that may outlive the one that started it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self._process.poll()

    def leave(self) -> None:
        """Leave it running without a warning of Python's."""
        if self._process.poll() is None:
            self._process.returncode = 0


def start_if_needed(paths: Paths, command: Sequence[str]) -> BackgroundProcess | None:
    """Start `command` in a session of its own unless another process supervises; return it.

    Call it after the work is stored: a supervisor that is about to leave checks once more after
    giving up the lock. Raises OSError, and `UserError` where the lock cannot be read.
    """
    if read_holder(paths.lock).is_alive:
        return None
    log = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            with_own_limit(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path("/"),
            env=own_environment({"SWARM_HOME": str(paths.home), "SWARM_CONFIG": str(paths.config)}),
            start_new_session=True,
        )
    finally:
        os.close(log)
    return BackgroundProcess(child)
