"""The objects that every operation of the API uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from litestar.di import NamedDependency

from engine.config.config_file import load_usable
from engine.domain.model import Run
from tui.cli.api.attendance import SharedAttendant
from tui.cli.api.event_feed import SharedEventFeed
from tui.cli.support import session

if TYPE_CHECKING:
    from engine.ports.engine import EnginePort


class ApiContext:
    """The engine behind the API. It follows the runs and supervises none.

    So a killed API process costs no run: a process in the background supervises them.
    """

    longest_wait_s = 600.0
    """Seconds that an operation which waits for runs may take."""

    def __init__(self, engine: EnginePort) -> None:
        self.engine = engine
        self.stopping = asyncio.Event()
        """Set when the server stops: endless answers end then."""
        self.starting = asyncio.Lock()
        """Held while a run starts runs: two requests do not share what is left of its budget."""

    @cached_property
    def feed(self) -> SharedEventFeed:
        """The newest events, for all streams."""
        return SharedEventFeed(self.engine, self.stopping)

    @cached_property
    def attendant(self) -> SharedAttendant:
        """Starts a supervisor again if it ends while clients wait for runs."""
        return SharedAttendant(self.engine)

    async def supervise(self, runs: Iterable[Run] | None = None) -> None:
        """Ensure that a process supervises the home, if any of these runs is live (None: always).

        Every operation that starts, ends or answers a run calls it after the change is stored.
        """
        await session.ensure_supervision(self.engine, runs)

    async def check_settings(self) -> None:
        """Raise the mistake in the settings file, if there is one.

        Operations that delete or change much call it first: the settings decide what they may do.
        """
        found = await asyncio.to_thread(load_usable, self.engine.paths)
        if found.error:
            raise found.error


Context = NamedDependency[ApiContext]
"""The type of the parameter `context` of an operation."""
