"""The engine: the one door through which every face starts, follows and stops runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
    suppress,
)
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import workspace_roots
from engine.config.config_file import ConfigWatch, LoadedConfig, load_usable
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain import nearest, requests
from engine.domain.errors import UserError, user_error
from engine.domain.events import Body, Event
from engine.domain.fault import SETTINGS, Fault, fault_words
from engine.domain.kinds import USUAL, EventKind
from engine.domain.lifecycle import LIVE
from engine.domain.model import AttemptRequest, Pause, Run, RunSpec, WorkspaceKind, WorkspaceSpec
from engine.domain.projection import View
from engine.domain.radar import OverlapDetector
from engine.domain.text import printable_name
from engine.execution import task_tree
from engine.execution.base_refs import hold_bases
from engine.execution.bus import EventBatch, EventBus, EventStream
from engine.execution.journal import Journal
from engine.execution.run_records import RunRecords
from engine.execution.shared_settings import SharedSettings
from engine.execution.supervision_monitor import SupervisionMonitor
from engine.execution.supervisor_lock import SupervisorLock
from engine.execution.task_tree import SupervisedTask, TaskTree
from engine.lazy_services import MODULE_OF, LazyServices
from engine.store.history import EventHistory
from engine.store.store import Store, open_store
from engine.system.environment import distrust, requested_environment
from engine.system.open_files import raise_limit

if TYPE_CHECKING:
    from engine.batches.matrix import read_matrix
    from engine.batches.request import BatchRequest
    from engine.batches.service import BatchPlan
    from engine.disk.cleanup import CleanupItemResult, CleanupReport
    from engine.disk.cleanup_plan import CleanupFilter, CleanupItem, CleanupPlan
    from engine.disk.locations import DiskLocation, LocationKind
    from engine.disk.service import DiskUsage
    from engine.disk.trash_entry import TrashEntry
    from engine.disk.unsaved import UnsavedWork
    from engine.doctor import CheckHealth, DiskSpace, Finding
    from engine.domain.consent import Consent
    from engine.domain.folder_size import FolderSize
    from engine.domain.messages import Subscription as Interest
    from engine.execution.background import BackgroundProcess, start_if_needed
    from engine.execution.executor import AttemptFile, AttemptPart, AttemptRef, Executor
    from engine.execution.recovery import RecoveryReport, recover
    from engine.execution.supervision_monitor import SupervisionState, supervision_state
    from engine.execution.supervisor_status import LockHolder, read_holder
    from engine.notifications.service import ReceiverHealth, ReceiverStatus
    from engine.supervision import Supervision
    from engine.templates.parameters import Parameter
    from engine.templates.service import Templates
    from engine.templates.template import RenderedTemplate, Template
    from engine.workspaces.apply.apply import ApplyMode, ApplyResult
    from engine.workspaces.apply.three_way import Conflict
    from engine.workspaces.checkpoints.changes import Changes, FileDelta
    from engine.workspaces.checkpoints.checkpoints import Checkpoint
    from engine.workspaces.checkpoints.comparison import Comparison
    from engine.workspaces.files.tree import FilePreview, TreeEntry
    from engine.workspaces.sources import SourceInfo

__all__ = [
    "ApplyMode",
    "ApplyResult",
    "AttemptFile",
    "AttemptPart",
    "AttemptRef",
    "BackgroundProcess",
    "BatchPlan",
    "BatchRequest",
    "Changes",
    "CheckHealth",
    "Checkpoint",
    "CleanupFilter",
    "CleanupItem",
    "CleanupItemResult",
    "CleanupPlan",
    "CleanupReport",
    "Comparison",
    "Conflict",
    "Consent",
    "DiskLocation",
    "DiskSpace",
    "DiskUsage",
    "Engine",
    "EventBatch",
    "EventHistory",
    "EventStream",
    "FileDelta",
    "FilePreview",
    "Finding",
    "FolderSize",
    "LocationKind",
    "LockHolder",
    "Parameter",
    "ReceiverHealth",
    "ReceiverStatus",
    "RecoveryReport",
    "RenderedTemplate",
    "SourceInfo",
    "SupervisionState",
    "TaskTree",
    "Template",
    "Templates",
    "TrashEntry",
    "TreeEntry",
    "UnsavedWork",
    "read_holder",
    "read_matrix",
    "recover",
    "start_if_needed",
    "supervise",
    "supervision_state",
]

AMBIGUOUS_SHOWN, NEAREST_RUNS = 8, 200
MAX_SLOTS = 1000
TAKEN_S = 1.5
"""How long a process that does not stand by tries for the lock."""
OWED_S = 0.2
ESSENTIAL = ("journal", "supervision", "scheduler", "follower")
"""Tasks without which runs do not progress, or do so unseen."""
RADAR_RUNS = 1000


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    """Import what faces know from here when they ask for it."""
    if name not in MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(MODULE_OF[name])
    return getattr(module, name)


class Engine(LazyServices):
    """One home's runs. Commands go in; what came of them comes out as batches of events."""

    def __init__(self, paths: Paths, config: Config, store: Store, view: View) -> None:
        super().__init__(paths, config, store)
        self.view = view
        """All runs as they are now, if the engine follows; faces only read it."""
        self._shared = SharedSettings(store, config.slots)
        self._bus = EventBus()
        self.tasks = TaskTree()
        """All long-lived tasks of this engine, and of the face that has it open."""
        self.tasks.faults.changed = self._faults_changed
        view.guard = self.tasks.faults.guard
        records = RunRecords(paths)
        faults = self.tasks.faults
        self._journal = Journal(store, view, self._publish, self._shared_changed, faults, records)
        self._supervision: Supervision | None = None
        self._supervising: SupervisedTask | None = None
        self._ownership = SupervisorLock(paths.lock)
        self.lookout = SupervisionMonitor(self._ownership, lambda: bool(view.live), self._published)
        """Whether anybody supervises the runs, where this engine does not."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        paths: Paths,
        config: Config | LoadedConfig | None = None,
        *,
        follow: bool = True,
        supervise: bool = False,
        after: Callable[[], Awaitable[object]] | None = None,
        executor: Executor | None = None,
    ) -> AsyncGenerator[Engine]:
        """Open a home; `follow` keeps `view` current, `supervise` also runs what is queued here.

        With `after` it begins with that only when this is done: what comes before it is not slowed.
        One engine supervises a home at a time; the others wait to take over. Raises `UserError`.
        Attempts run on the machine of `executor`, or on this one.
        Without a `config` the settings file counts; a mistake in it only keeps runs from starting.
        """
        paths.prepare()
        is_of_file = not isinstance(config, Config)
        loaded = LoadedConfig(config) if isinstance(config, Config) else config
        loaded = loaded or load_usable(paths)
        config = loaded.config
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(open_store(paths.database, _wishes(config)))
            engine = cls(paths, config, store, View())
            engine.config_error = loaded.error
            if executor:
                engine.executor = executor
            await engine._shared.refresh()
            distrust(map(str, await asyncio.to_thread(workspace_roots.known, paths.home)))
            stack.push_async_callback(engine.tasks.close)
            if follow or supervise:
                await engine.memory.load()
                await engine._journal.load()
                engine.tasks.start("journal", engine._journal.follow)
                engine.tasks.start("lookout", engine.lookout.run)
            if supervise:
                raise_limit()
                if is_of_file:
                    engine._watch_config()
                engine._begin_to_supervise(after)
            yield engine

    @property
    def slots(self) -> int:
        """The number of runs that may be active at a time."""
        return self._shared.slots

    @property
    def pause(self) -> Pause | None:
        """The pause of the queue; None while it is running."""
        return self._shared.pause

    @property
    def supervises(self) -> bool:
        """Return whether this engine, and no other, runs what is queued."""
        return self._ownership.held

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Current faults: of this engine, and of the engine that supervises this home."""
        own = self.tasks.faults.current
        if self.supervises:
            return own
        known = [fault.task for fault in own] + [SETTINGS] * bool(self.config_error)
        hidden = {SETTINGS}.intersection(known)  # this process found the mistake itself
        return own + tuple(
            fault for fault in self._shared.faults if fault not in own and fault.task not in hidden
        )

    def check_works(self) -> None:
        """Raise `UserError` if this engine can no longer do what it was opened for.

        Its essential tasks are tried again all the same: a dashboard just goes on.
        """
        if self._supervising and isinstance(self._supervising.error, UserError):
            raise self._supervising.error
        for fault in self.tasks.faults.current:
            is_stuck = fault.count >= task_tree.BACKOFF.identical and not fault.passing
            if is_stuck and fault.task in ESSENTIAL:
                raise user_error("INTERNAL", fault_words(fault))

    # What happens

    def batches(self, interval_s: float = 0.05) -> EventStream:
        """Return a stream of future events, one batch at most every `interval_s` seconds."""
        return self._bus.batches(interval_s)

    async def events(
        self,
        run: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = -1,
        kinds: Sequence[str] = (),
    ) -> list[Event]:
        """Return a run's stored events in order: after `after`, or the last ones before `before`.

        `kinds` are the types wanted; none named means all.
        """
        return await self._store.events(run, after=after, before=before, limit=limit, kinds=kinds)

    def history(self, run: str | None, kind: EventKind = USUAL) -> EventHistory:
        """Return a way through the stored events of a run, or of all runs as one stream."""
        return self._store.history(run, kind)

    async def runs(
        self,
        *,
        statuses: Iterable[str] = (),
        project: str | None = None,
        batch: str | None = None,
        limit: int = -1,
    ) -> list[Run]:
        """Return the runs that match, newest first, straight from the store."""
        return await self._store.runs(statuses=statuses, project=project, batch=batch, limit=limit)

    async def radar(self) -> OverlapDetector:
        """Return which of the latest runs change the same files, straight from the store."""
        return View(await self._store.runs(limit=RADAR_RUNS)).radar

    async def find(self, name: str) -> Run:
        """Return the run that `name` means: a unique prefix of its id, or `@last`.

        Raises `UserError` RUN_NOT_FOUND or RUN_AMBIGUOUS.
        """
        shown = printable_name(name[:100])
        if name == "@last":
            runs = await self._store.runs(limit=1)
            if not runs:
                raise user_error(
                    "RUN_NOT_FOUND",
                    "There are no runs yet.",
                    "Start one with `swarm-tui run PROMPT`.",
                )
            return runs[0]
        is_id = name.isascii() and name.isalnum()
        ids = await self._store.ids_like(name, AMBIGUOUS_SHOWN + 1) if is_id else []
        if not ids:
            known = [run.id for run in await self._store.runs(limit=NEAREST_RUNS)]
            known = ["@last"] if name.startswith("@") else known
            meant = nearest.hint(name, known, nearest.ALMOST)
            raise user_error("RUN_NOT_FOUND", f"There is no run `{shown}`.{meant}")
        if len(ids) > 1:
            listed = ", ".join(ids[:AMBIGUOUS_SHOWN])
            more = " and more" if len(ids) > AMBIGUOUS_SHOWN else ""
            raise user_error("RUN_AMBIGUOUS", f"`{shown}` could mean {listed}{more}.")
        return (await self._store.runs(ids=ids))[0]

    def position(self, run: str) -> int | None:
        """Return a queued run's place in the queue, from 1."""
        for place, queued in enumerate(self.view.queue(), start=1):
            if queued.id == run:
                return place
        return None

    # What the user asks for; each raises `UserError` where it cannot be

    async def start(self, spec: RunSpec) -> Run:
        """Check everything that can be checked, then queue a run."""
        spec = await self.check(spec)
        from engine.execution.requested_files import RequestedFiles

        files = RequestedFiles(self.paths, requested_environment())
        done = await files.queue(lambda keep: self._journal.create(spec, keep=keep), self._store)
        run = next(iter(done.runs.values()))
        await hold_bases(self._journal, [run])
        return run

    async def check(self, spec: RunSpec, ask_later: bool = False) -> RunSpec:
        """Check a requested run; return it with the path of the run that it goes on from.

        With `ask_later`, missing trust in its repository is not an error.
        """
        if spec.workspace.kind is WorkspaceKind.FROM_RUN:
            spec = await self._from_run(spec)
        if spec.schema_file or spec.images or spec.add_dirs:
            from engine.execution import attachments

            spec = await asyncio.to_thread(attachments.checked, spec)
        spec = await self.patterns.taught(await self.trust.prepared(spec, ask_later=ask_later))
        named = replace(spec.preparation, branch=str(self.config.workspace.branch))
        if spec.workspace.kind is not WorkspaceKind.IN_PLACE:
            root = self.config.workspace.root
            named = replace(named, root=str(root) if root else None)
        spec = replace(spec, preparation=named)
        checked = await self._check_spec(_checkable(spec))
        pinned = checked.workspace.base_commit
        spec = replace(spec, workspace=checked.workspace) if pinned else spec
        spec = replace(spec, project=await self._project(spec))
        await self._check_root(spec)
        return spec

    async def _project(self, spec: RunSpec) -> str:
        """Return the project of a run: two repositories with one folder name are two projects."""
        from engine.workspaces.create.project_key import LOOKED_AT, project_label

        return await project_label(
            spec, lambda label: self._store.runs(project=label, limit=LOOKED_AT)
        )

    async def cancel(self, run: str, *, kill: bool = False) -> Run:
        """Ask for a run to end: SIGTERM, then SIGKILL after the grace time; `kill`: at once."""
        return await self._change(run, lambda current: requests.cancel(current, kill=kill))

    async def cancel_all(self, runs: Iterable[str], *, kill: bool = False) -> list[Run]:
        """Cancel those of the runs that can be, in one step; return their new state."""

        def decide(current: Run) -> Sequence[Body]:
            try:
                return requests.cancel(current, kill=kill)
            except UserError:  # it may have ended in this moment
                return ()

        done = await self._journal.change_all(runs, decide)
        told = {event.run for event in done.events}
        return [run for run in done.runs.values() if run.id in told]

    async def retry(self, run: str, *, prompt: str | None = None, fresh: bool = False) -> Run:
        """Queue a finished run's next attempt: it goes on in its workspace and its thread.

        With a `prompt` of its own it starts a new thread; `fresh` starts over, in a new workspace.
        """
        found = await self.find(run)
        await self._check_again(found, fresh=fresh)
        ask = requests.retry_ask(found, prompt=prompt, fresh=fresh)
        await hold_bases(self._journal, [found] if fresh or not found.workspace else [])
        return await self._change(
            found.id, lambda current: requests.retry(current, fresh=fresh), ask
        )

    async def resume(self, run: str, message: str) -> Run:
        """Continue a finished run's thread with a message."""
        found = await self.find(run)
        if not message.strip():
            raise user_error("INPUT_INVALID", "The message is empty.", "Describe the task.")
        await self._check_again(found)
        ask = AttemptRequest(message, resume=True)
        return await self._change(found.id, lambda current: requests.resume(current, message), ask)

    async def set_slots(self, slots: int) -> None:
        """Allow `slots` runs at a time, from now on and for every process of this home."""
        if not 1 <= slots <= MAX_SLOTS:
            raise user_error("INPUT_INVALID", f"Slots must be between 1 and {MAX_SLOTS}.")
        await self._shared.set_slots(slots)
        self._publish((), set())

    async def set_pause(self, pause: Pause | None) -> None:
        """Pause the queue, or with None, resume it; live runs are not touched."""
        await self._shared.set_pause(pause)
        self._publish((), set())

    async def stop_supervising(self) -> None:
        """Leave the supervision of runs to another process; `supervise_again` ends that."""
        if self._supervising:
            self._supervising.cancel()
            await self._supervising.wait()

    def supervise_again(self) -> None:
        """Supervise as soon as no other process does, in an engine that was opened for that."""
        if self._supervising and self._supervising.is_done:
            self._begin_to_supervise(None)

    async def is_needed(self) -> bool:
        """Return whether the supervisor has something left to do: a run, or a message."""
        return bool(await self.runs(statuses=LIVE, limit=1) or await self.notifications.owed())

    async def settle(self) -> None:
        """Wait until no run is queued or active; raises `UserError` if no process can do that."""
        batches = self._bus.batches(0)
        while self.view.live:
            self.check_works()
            await anext(batches)

    # Inside

    async def _from_run(self, spec: RunSpec) -> RunSpec:
        """Put the path of the earlier run's workspace in the place of its name.

        One that has none yet is waited for: its id stands there until it has.
        """
        from engine.trust.service import with_guard

        earlier = await self.find(spec.workspace.source or "")
        made = with_guard(earlier.spec.preparation, spec.preparation)
        if earlier.workspace is None and earlier.status in LIVE:
            wish = replace(spec.workspace, source=earlier.id)
            after = tuple(dict.fromkeys((*spec.after, earlier.id)))
            return replace(spec, workspace=wish, after=after, preparation=made)
        if earlier.workspace is None:
            raise user_error("WORKSPACE_MISSING")
        cwd = earlier.workspace.cwd if spec.workspace.cwd is None else spec.workspace.cwd
        wish = replace(spec.workspace, source=earlier.workspace.path, cwd=cwd)
        return replace(spec, workspace=wish, preparation=made)

    async def _change(
        self, run: str, decide: Callable[[Run], Sequence[Body]], ask: AttemptRequest | None = None
    ) -> Run:
        return (await self._journal.change(run, decide, ask)).runs[run]

    async def _check_again(self, run: Run, *, fresh: bool = False) -> None:
        """Check what another attempt needs: with a workspace that is there, no source for one."""
        there = run.workspace is not None and Path(run.workspace.path).is_dir()
        needs_none = there and not fresh
        if needs_none and (await self.workspaces.check(run)).has_unknown_changes:
            raise user_error("CHANGES_UNKNOWN")
        spec = replace(run.spec, workspace=WorkspaceSpec()) if needs_none else _checkable(run.spec)
        await self._check_spec(spec)
        if not needs_none:
            await self._check_root(run.spec)

    async def _check_root(self, spec: RunSpec) -> None:
        """Check the folder in which the workspace will be created; raises `UserError`."""
        if spec.preparation.root:
            from engine.workspaces.create import root

            await asyncio.to_thread(root.check, Path(spec.preparation.root), spec, self.paths.home)

    async def _check_spec(self, spec: RunSpec) -> RunSpec:
        from engine.preflight import check_spec

        self.check_config()
        return await asyncio.to_thread(check_spec, spec, self.config, self.paths.home)

    async def _shared_changed(self) -> None:
        """Take over what another process set for all."""
        if await self._shared.refresh():
            self._publish((), set())

    def _publish(self, events: Sequence[Event], runs: set[str]) -> None:
        """Hand on what happened; no listener that fails keeps the others from hearing of it."""
        self._bus.publish(events, runs)
        guard = self.tasks.faults.guard
        with guard("search news"):
            self.search.saw()
        with guard("notification news"):
            self.notifications.saw(events)
        if self._supervision and (scheduler := self._supervision.scheduler):
            with guard("scheduler news"):
                scheduler.saw(runs)

    def _published(self) -> None:
        self._publish((), set())

    def _faults_changed(self, is_news: bool) -> None:
        """Show what fails: to listeners here, and where this engine supervises, to all."""
        if is_news:
            self._bus.publish((), ())
        if self._supervision:
            self._supervision.notify()

    def _watch_config(self) -> None:
        """Take note of mistakes in the settings file while this engine is open."""

        def changed(loaded: LoadedConfig) -> None:
            self.config_error = loaded.error

        watch = ConfigWatch(self.paths, self.config, self.tasks.faults, changed)
        self.tasks.start("settings watch", watch.run)

    def _begin_to_supervise(self, after: Callable[[], Awaitable[object]] | None) -> None:
        from engine.supervision import Supervision

        self._supervision = supervision = Supervision(
            self,
            self._store,
            self.view,
            self._journal,
            self._shared,
            self._ownership,
            self.tasks,
            self._published,
        )
        self._supervising = self.tasks.start("supervision", lambda: supervision.run(after))
        self._supervising.when_done(self._published)


def _wishes(config: Config) -> Sequence[Interest]:
    """Return the receivers' subscriptions; without receivers, nothing is imported."""
    if not (config.webhooks or config.notify.apprise):
        return ()
    from engine.notifications.receivers import wishes

    return wishes(config)


def _checkable(spec: RunSpec) -> RunSpec:
    """Leave out a workspace that is still to be made by a run this one waits for."""
    wish = spec.workspace
    is_to_come = wish.kind is WorkspaceKind.FROM_RUN and "/" not in (wish.source or "/")
    return replace(spec, workspace=WorkspaceSpec()) if is_to_come else spec


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
