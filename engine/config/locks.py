"""One at a time, over all processes of this machine."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from engine.config.paths import private_folder
from engine.domain.errors import os_failure, user_error
from engine.system.files import real_path

POLL_S = 0.01
LIMIT_S = 600.0
T = TypeVar("T")


@asynccontextmanager
async def locked(lock: Path, limit_s: float = LIMIT_S) -> AsyncGenerator[None]:
    """Hold the lock file; raises `UserError` WORKSPACE_BUSY after `limit_s` seconds of waiting.

    Raises OSError where locks are not possible. The kernel frees the lock when this process
    ends, however it ends.
    """
    try:
        private_folder(lock.parent)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:  # a disk that is full, or may only be read
        raise os_failure(error) from error
    try:
        deadline = asyncio.get_running_loop().time() + limit_s
        while not _taken(handle):
            if asyncio.get_running_loop().time() > deadline:
                raise user_error("WORKSPACE_BUSY")
            await asyncio.sleep(POLL_S)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Wait for work that must not be left half done; a cancel counts when it is done."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:
            break
    if cancelled:
        await asyncio.gather(task, return_exceptions=True)
        raise asyncio.CancelledError
    return task.result()


def lock_for(home: Path, folder: Path) -> Path:
    """Return the lock file for work on `folder`, which itself is left alone."""
    digest = hashlib.sha256(os.fsencode(real_path(folder))).hexdigest()[:24]
    return home / "locks" / f"{digest}.lock"
