"""The engine: the one door through which every face starts, follows and stops runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from engine.config import Config
from engine.domain.events import Event
from engine.domain.model import Run, RunSpec
from engine.domain.projection import View
from engine.paths import Paths
from engine.runs.bus import Batch
from engine.workspace.tree import TreeEntry


class Engine:
    """One home's runs. Commands go in; what came of them comes out as batches of events."""

    view: View
    """All runs as they are now (after `follow`); faces only read it."""
    paths: Paths
    config: Config
    slots: int
    """How many runs may be active at a time."""
    paused: str | None
    """Why the queue starts nothing, or None."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, paths: Paths, config: Config | None = None, *, follow: bool = True, supervise: bool = False
    ) -> AsyncGenerator[Engine]:
        """Open a home; `follow` keeps `view` current, `supervise` also runs what is queued here.

        One engine supervises a home at a time: the others wait to take over. Raises `UserError`.
        """
        ...

    # What happens

    async def batches(self, interval_s: float = 0.05) -> AsyncGenerator[Batch]:
        """Give what happens from now on, one batch at most every `interval_s` seconds."""

    async def events(self, run: str, *, after: int = 0, before: int | None = None, limit: int = -1) -> list[Event]:
        """Give a run's stored events in order: those with seq > after, or the last `limit` with seq < before."""

    async def runs(self, *, statuses: Iterable[str] = (), project: str | None = None, batch: str | None = None, limit: int = -1) -> list[Run]:
        """Give the runs that match, newest first, straight from the store."""

    async def find(self, name: str) -> Run:
        """Give the run that `name` means: a unique prefix of its id, or `@last`.

        Raises `UserError` RUN_NOT_FOUND or RUN_AMBIGUOUS.
        """

    def position(self, run: str) -> int | None:
        """Give a queued run's place in the queue, from 1."""

    # What the user asks for; each raises `UserError` where it cannot be

    async def start(self, spec: RunSpec) -> Run:
        """Check everything that can be checked, then queue a run."""

    async def cancel(self, run: str, *, kill: bool = False) -> Run:
        """Ask for a run to be stopped: SIGTERM, then SIGKILL after the grace time; `kill`: at once."""

    async def retry(self, run: str) -> Run:
        """Queue a finished run's next attempt."""

    async def settle(self) -> None:
        """Wait until no run is queued or active here."""

    async def folder(self, run: str, path: str = "") -> list[TreeEntry]:
        """List one folder of a run's workspace, folders first; never follows a link out of it."""
