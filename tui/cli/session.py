"""From a command to the engine and back: one event loop, one engine, signals that are heard."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager

from engine import config, paths
from engine.domain.model import Run
from engine.domain.projection import View
from engine.engine import Engine
from tui.cli import log

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(work: Coroutine[None, None, int | None]) -> int:
    """Run a command's work and give its exit code."""
    return asyncio.run(work) or 0


@asynccontextmanager
async def open_engine(*, follow: bool = False, supervise: bool = False) -> AsyncGenerator[Engine]:
    """Open the user's home with the user's settings."""
    places = paths.find()
    log.keep(places)
    settings = config.load(places.config)
    async with Engine.open(places, settings, follow=follow, supervise=supervise) as engine:
        yield engine


@contextmanager
def stops(heard: Callable[[signal.Signals], None]) -> Generator[None]:
    """Call `heard` instead of ending when the user or the system wants this process to stop."""
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, heard, number)
    try:
        yield
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


async def positions(engine: Engine) -> dict[str, int]:
    """Give the places in the queue of all runs that wait in it, from 1."""
    queue = View(await engine.runs(statuses=["queued"])).queue()
    return {run.id: place for place, run in enumerate(queue, start=1)}


async def find_all(engine: Engine, names: tuple[str, ...]) -> list[Run]:
    """Find every run that is named, each once, before anything is done to one of them."""
    found = [await engine.find(name) for name in names]
    return list({run.id: run for run in found}.values())
