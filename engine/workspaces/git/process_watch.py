"""A git process on files that a stranger can write: watched, and ended where it waits for one."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from pathlib import Path

from engine.workspaces.files.special_files import check_work_tree, unreadable

FIRST_LOOK_S = 1.0
"""git is mostly done by then: only where it is not, its files are looked at."""
STALLED_S = 20.0
"""A git that did nothing at all for so long waits for a file that was removed meanwhile."""
MEMORY_BYTES = 1024**3
ENVIRONMENT = {"GIT_ALLOC_LIMIT": str(MEMORY_BYTES // 4)}
"""Limits one allocation, on every system; `limit_memory` limits all of them, on Linux."""


def limit_memory(pid: int) -> None:
    """Limit what a process may allocate; files that it maps for reading do not count."""
    if hasattr(resource, "prlimit"):
        with suppress(OSError, ValueError):  # ended already
            resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))


async def watch(pid: int, root: Path) -> None:
    """Return never, or raise `UserError` WORKSPACE_UNSAFE with the file that git waits for.

    It looks at once, and again and again.
    """
    loop = asyncio.get_running_loop()
    delay_s, last, moved_at = FIRST_LOOK_S, "", loop.time()
    while True:
        await asyncio.to_thread(check, root)
        delay_s = min(2 * delay_s, STALLED_S / 2)
        if (now := _progress(pid)) != last or not now:
            last, moved_at = now, loop.time()
        elif loop.time() - moved_at >= STALLED_S:
            raise unreadable(root, "held a file, removed by now, that is not a regular file")
        await asyncio.sleep(delay_s)


def check(root: Path) -> None:
    """Raise `UserError` WORKSPACE_UNSAFE for a file below `root` that git cannot get past."""
    with suppress(OSError):  # the folder is gone
        check_work_tree(root)


def _progress(pid: int) -> str:
    """Return the processor time of a process that sleeps; empty where it works, or is unknown."""
    try:
        found = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return " ".join(found[11:13]) if found and found[0] == "S" else ""
