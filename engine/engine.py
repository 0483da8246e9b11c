"""The engine: the one door through which every face starts, follows and stops runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from engine import config as settings
from engine.codex.command import find_codex
from engine.config import Config
from engine.domain.errors import user_error
from engine.domain.events import Body, Event, StatusChanged
from engine.domain.lifecycle import CANCELLABLE, FINISHED
from engine.domain.model import Agent, Run, RunSpec, Status, WorkspaceSpec
from engine.domain.projection import View
from engine.domain.text import printable_name
from engine.paths import Paths
from engine.runs.bus import Batch, Batches, Bus
from engine.runs.follower import Follower
from engine.runs.journal import Journal
from engine.runs.owner import Ownership
from engine.runs.scheduler import Scheduler
from engine.runs.supervisor import KILL, Tools
from engine.runs.watcher import Watcher
from engine.store.store import Store, open_store
from engine.workspace import create
from engine.workspace.tree import TreeEntry, list_folder

__all__ = ["Batch", "Batches", "Engine", "TreeEntry"]

OWNER_RETRY_S = 0.5
AMBIGUOUS_SHOWN = 8
CANCEL = "cancelled by the user"
_log = logging.getLogger(__name__)


class Engine:
    """One home's runs. Commands go in; what came of them comes out as batches of events."""

    def __init__(self, paths: Paths, config: Config, store: Store, view: View) -> None:
        self.paths = paths
        self.config = config
        self.view = view
        """All runs as they are now, if the engine follows; faces only read it."""
        self.slots = config.slots
        """How many runs may be active at a time."""
        self._store = store
        self._bus = Bus()
        self._journal = Journal(store, view, self._publish)
        self._scheduler: Scheduler | None = None
        self._ownership = Ownership(paths.lock)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        paths: Paths,
        config: Config | None = None,
        *,
        follow: bool = True,
        supervise: bool = False,
    ) -> AsyncGenerator[Engine]:
        """Open a home; `follow` keeps `view` current, `supervise` also runs what is queued here.

        One engine supervises a home at a time; the others wait to take over. Raises `UserError`.
        """
        paths.prepare()
        config = settings.load(paths.config) if config is None else config
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(open_store(paths.database))
            engine = cls(paths, config, store, View())
            if follow or supervise:
                await engine._journal.load()
                stack.push_async_callback(_ended, asyncio.create_task(engine._journal.follow()))
            if supervise:
                stack.push_async_callback(_ended, asyncio.create_task(engine._supervise()))
            yield engine

    # What happens

    def batches(self, interval_s: float = 0.05) -> Batches:
        """Give what happens from now on, one batch at most every `interval_s` seconds."""
        return self._bus.batches(interval_s)

    async def events(
        self, run: str, *, after: int = 0, before: int | None = None, limit: int = -1
    ) -> list[Event]:
        """Give a run's stored events in order: after `after`, or the last ones before `before`."""
        return await self._store.events(run, after=after, before=before, limit=limit)

    async def runs(
        self,
        *,
        statuses: Iterable[str] = (),
        project: str | None = None,
        batch: str | None = None,
        limit: int = -1,
    ) -> list[Run]:
        """Give the runs that match, newest first, straight from the store."""
        return await self._store.runs(statuses=statuses, project=project, batch=batch, limit=limit)

    async def find(self, name: str) -> Run:
        """Give the run that `name` means: a unique prefix of its id, or `@last`.

        Raises `UserError` RUN_NOT_FOUND or RUN_AMBIGUOUS.
        """
        shown = printable_name(name[:100])
        if name == "@last":
            runs = await self._store.runs(limit=1)
            if not runs:
                raise user_error("RUN_NOT_FOUND", "There are no runs yet.")
            return runs[0]
        is_id = name.isascii() and name.isalnum()
        ids = await self._store.ids_like(name, AMBIGUOUS_SHOWN + 1) if is_id else []
        if not ids:
            raise user_error("RUN_NOT_FOUND", f"There is no run `{shown}`.")
        if len(ids) > 1:
            listed = ", ".join(ids[:AMBIGUOUS_SHOWN])
            more = " and more" if len(ids) > AMBIGUOUS_SHOWN else ""
            raise user_error("RUN_AMBIGUOUS", f"`{shown}` could mean {listed}{more}.")
        return (await self._store.runs(ids=ids))[0]

    def position(self, run: str) -> int | None:
        """Give a queued run's place in the queue, from 1."""
        for place, queued in enumerate(self.view.queue(), start=1):
            if queued.id == run:
                return place
        return None

    # What the user asks for; each raises `UserError` where it cannot be

    async def start(self, spec: RunSpec) -> Run:
        """Check everything that can be checked, then queue a run."""
        await asyncio.to_thread(self._check, spec)
        done = await self._journal.create(spec)
        return next(iter(done.runs.values()))

    async def cancel(self, run: str, *, kill: bool = False) -> Run:
        """Ask for a run to end: SIGTERM, then SIGKILL after the grace time; `kill`: at once."""

        def decide(current: Run) -> Sequence[Body]:
            reason = KILL if kill else CANCEL
            if current.status is Status.QUEUED:
                return [StatusChanged(Status.CANCELLED, reason=reason)]
            if current.status in CANCELLABLE or (kill and current.status is Status.CANCELLING):
                return [StatusChanged(Status.CANCELLING, reason=reason)]
            if current.status is Status.CANCELLING:
                return []
            raise user_error(
                "RUN_NOT_CANCELLABLE", f"The run {run} has already ended: {current.status}."
            )

        return (await self._journal.change(run, decide)).runs[run]

    async def retry(self, run: str) -> Run:
        """Queue a finished run's next attempt, in its workspace as it stands."""

        def decide(current: Run) -> Sequence[Body]:
            if current.status not in FINISHED:
                raise user_error("RUN_NOT_RETRYABLE", f"The run {run} is {current.status}.")
            return [StatusChanged(Status.QUEUED, reason="retry")]

        found = await self.find(run)
        spec = replace(found.spec, workspace=WorkspaceSpec()) if found.workspace else found.spec
        await asyncio.to_thread(self._check, spec)
        return (await self._journal.change(run, decide)).runs[run]

    async def settle(self) -> None:
        """Wait until no run is queued or active."""
        batches = self._bus.batches(0)
        while self.view.live:
            await anext(batches)

    async def folder(self, run: str, path: str = "") -> list[TreeEntry]:
        """List one folder of a run's workspace, folders first; never follows a link out of it."""
        known = self.view.runs.get(run) or await self.find(run)
        if known.workspace is None:
            return []
        return await asyncio.to_thread(list_folder, Path(known.workspace.path), path)

    # Inside

    def _check(self, spec: RunSpec) -> None:
        """Check what a run needs before it costs anything."""
        if not spec.prompt.strip():
            raise user_error("INPUT_INVALID", "The prompt is empty.", "Say what is to be done.")
        texts = (spec.prompt, spec.title, spec.project, spec.workspace.source or "")
        if not all(map(_is_utf8, texts)):
            raise user_error("INPUT_INVALID", "The input holds bytes that are no UTF-8.")
        if spec.agent is Agent.CODEX:
            find_codex(spec.codex_bin, self.config.codex.bin)
        create.check(spec.workspace, self.config.workspace.copy_limit, self.paths.home)

    def _publish(self, events: Sequence[Event], runs: set[str]) -> None:
        self._bus.publish(events, runs)
        if self._scheduler:
            self._scheduler.saw(runs)

    async def _supervise(self) -> None:
        """Supervise this home as soon as nobody else does."""
        while True:
            if self._ownership.take():
                break
            await asyncio.sleep(OWNER_RETRY_S)
        try:
            commit = self._journal.append
            tools = Tools(
                self.paths, self.config, self._store, commit, Follower(commit), Watcher(commit)
            )
            self._scheduler = Scheduler(self.view, tools, lambda: self.slots)
            await self._scheduler.run()
        finally:
            self._scheduler = None
            self._ownership.give_up()


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    results = await asyncio.gather(task, return_exceptions=True)
    for error in results:
        if isinstance(error, Exception):
            _log.error("%s failed", task.get_coro(), exc_info=error)
