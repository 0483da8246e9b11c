"""Effect of ctrl+z where runs are supervised: another process takes over before the stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from engine.domain.errors import UserError
from engine.domain.transient import transient
from tui.cli.support import session

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort

WITHIN_S = 5.0
"""Seconds that the hand-over may take; after that the process stops all the same."""


@contextmanager
def hands_over(engine: EnginePort, stop: Callable[[], object] | None = None) -> Generator[None]:
    """Hand the runs over to a process in the background at SIGTSTP, then `stop` this one.

    When it continues, it supervises again as soon as no other process does. SIGSTOP cannot be
    caught: other commands report the stopped supervisor (`engine.execution.supervisor_status`).
    """
    if signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN:  # as in a shell without job control
        yield
        return
    loop = asyncio.get_running_loop()
    stopping: set[asyncio.Task[None]] = set()

    def heard() -> None:
        if not stopping:
            task = loop.create_task(_stopped(engine, stop or stop_process))
            stopping.add(task)
            task.add_done_callback(stopping.discard)

    loop.add_signal_handler(signal.SIGTSTP, heard)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTSTP)
        for task in stopping:
            task.cancel()


async def _stopped(engine: EnginePort, stop: Callable[[], object]) -> None:
    """Hand over, stop until this process is continued, and stand by from then on."""
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(WITHIN_S):
                await engine.stop_supervising()
                await _start_successor(engine)
        stop()
    finally:
        engine.supervise_again()


async def _start_successor(engine: EnginePort) -> None:
    try:
        await session.see_to_what_is_left(engine)
    except UserError as error:
        if not transient(error):
            engine.tasks.faults.record("hand-over", error)


def stop_process() -> None:
    """Stop this process as ctrl+z does without a handler; return when it continues."""
    before = signal.getsignal(signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    try:
        os.kill(os.getpid(), signal.SIGTSTP)
    finally:
        signal.signal(signal.SIGTSTP, before)
