"""The lock on a run's thread, held while the user has it open in the agent's own program."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.config.locks import locked
from engine.config.paths import Paths
from engine.domain.errors import UserError, os_failure, user_error

WAIT_S = 1.0
"""So long the lock is waited for: a process that checks it holds it for a moment."""


def _path(paths: Paths, run: str) -> Path:
    return paths.home / "locks" / f"thread-{run}.lock"


@asynccontextmanager
async def holding(paths: Paths, run: str) -> AsyncGenerator[None]:
    """Hold the lock; raises `UserError` THREAD_IN_USE where another process has it.

    The kernel frees it when this process ends, however it ends.
    """
    held = locked(_path(paths, run), WAIT_S)
    try:
        await held.__aenter__()
    except UserError as error:
        raise in_use(run) if error.code == "WORKSPACE_BUSY" else error from error
    try:
        yield
    finally:
        await held.__aexit__(None, None, None)


def check_free(paths: Paths, run: str) -> None:
    """Raise `UserError` THREAD_IN_USE while the thread of a run is open. Blocks for a moment."""
    try:
        handle = os.open(_path(paths, run), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    except OSError as error:
        raise os_failure(error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise in_use(run) from None
    finally:
        os.close(handle)


def in_use(run: str) -> UserError:
    """Return the error of a run whose thread is open."""
    return user_error("THREAD_IN_USE", f"The thread of the run {run} is open in a terminal.")
