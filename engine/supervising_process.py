"""A process that supervises a home until nothing is left to do there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

from engine.config.config_file import LoadedConfig
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.engine import Engine

TAKEN_S = 1.5
"""Time for which a process that does not stand by tries for the lock."""
OWED_S = 0.2


async def supervise(
    paths: Paths,
    config: Config | LoadedConfig | None = None,
    *,
    standby: bool = True,
    around: Callable[[Engine], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Supervise a home until nothing is left to do there; raises `UserError`.

    If another process supervises it, stand by to take over, or without `standby`, return within
    a second. Each engine works within the context that `around` makes of it.
    """
    while True:
        async with Engine.open(paths, config, supervise=True) as engine:
            with around(engine):
                if not (standby or await _supervises_soon(engine)):
                    return
                await engine.settle()
                # Messages are tried for a day; a run that is queued meanwhile is started.
                while await engine.notifications.owed():
                    await asyncio.sleep(OWED_S)
                    await engine.settle()
        # A process that queued a run saw the lock held, and started no supervisor: look again.
        async with Engine.open(paths, config, follow=False) as engine:
            if not await engine.is_needed():
                return


async def _supervises_soon(engine: Engine) -> bool:
    """Return whether `engine` gets the lock; a process that only reads it holds it for a moment."""
    with suppress(TimeoutError):
        async with asyncio.timeout(TAKEN_S):
            while not engine.supervises:  # noqa: ASYNC110  the kernel frees the lock without a word
                await asyncio.sleep(TAKEN_S / 20)
    return engine.supervises
