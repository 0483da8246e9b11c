"""Start of a supervisor by a server: one after the other, however many clients need one."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from engine.config.paths import Paths
from engine.domain.errors import UserError
from engine.engine import read_holder
from tui.cli.support import session

WAIT_S = 5.0
"""Seconds that a new supervisor may take until the next start no longer waits for it."""
POLL_S = 0.02
_log = logging.getLogger(__name__)
# With one thread, the second of many starts finds the supervisor of the first one.
_starter = ThreadPoolExecutor(1, "supervisor-start")


async def start_one(places: Paths) -> None:
    """Ensure that a home is supervised; return when the supervisor works, or has ended.

    Call it after the work is stored. A failure is logged: the runs are stored.
    """
    await asyncio.get_running_loop().run_in_executor(_starter, _start, places)


def _start(places: Paths) -> None:
    try:
        child = session.start_background_supervisor(places)
        if child is None:
            return
        deadline = time.monotonic() + WAIT_S
        while child.exit_code() is None and time.monotonic() < deadline:
            if read_holder(places.lock).is_alive:
                break
            time.sleep(POLL_S)
        child.leave()
    except (OSError, UserError) as error:
        _log.error("no supervisor could be started in the background", exc_info=error)
