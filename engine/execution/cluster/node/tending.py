"""Regular work of a node: its processes known, children waited for, runs ended without a lease."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.paths import AttemptFolder
from engine.execution.cluster.node.guard import FENCED
from engine.execution.cluster.node.home import HOMES
from engine.execution.local import process_marks
from engine.execution.local.process import NOBODY, AttemptProcess, census

if TYPE_CHECKING:
    from engine.execution.cluster.node.service import NodeService

INTERVAL_S = 5.0
GUARDS_S = 5.0
"""Time for the guards to end their attempts, once the lease is over."""
POLL_S = 0.2
_log = logging.getLogger(__name__)


async def tend(service: NodeService) -> None:
    """Look at the processes of attempts for ever: those that lose their parent stay known."""
    while True:
        try:
            await observe(service)
        except Exception:  # the next look may succeed
            _log.exception("the processes of the node %s were not looked at", service.name)
        await asyncio.sleep(INTERVAL_S)


async def observe(service: NodeService) -> None:
    """List all processes once for all attempts, and wait for those that have ended."""
    seen = await asyncio.to_thread(census.snapshot, time.monotonic())
    for home in list(service.homes.values()):
        for handle in list(home.handles.values()):
            handle.record(seen)
            handle.ending()


async def end_runs(service: NodeService) -> None:
    """Return once no process of an attempt is left; to be called without a lease.

    The guards end their attempts. Those that they leave are noted as ended without one, too.
    """
    deadline = asyncio.get_running_loop().time() + GUARDS_S
    while found := await asyncio.to_thread(_marks, service.root):
        if asyncio.get_running_loop().time() >= deadline:
            for mark in found:
                await asyncio.to_thread(_note, mark)
                await AttemptProcess(AttemptFolder(Path(mark)), NOBODY, None).kill_remaining()
        await asyncio.sleep(POLL_S)


def _marks(root: Path) -> list[str]:
    """Return the marks of living attempts of the node."""
    homes = os.path.realpath(root / HOMES)
    return [mark for mark in process_marks.marks() if mark.startswith(f"{homes}/")]


def _note(mark: str) -> None:
    folder = AttemptFolder(Path(mark))
    if folder.exit.exists():  # it had ended before, and left processes
        return
    try:
        (folder.path / FENCED).touch(mode=0o600)
    except OSError as error:
        _log.warning("the end of %s was not noted: %s", folder.path, error)
