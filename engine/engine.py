"""The engine: the one door through which every face starts, follows and stops runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.config import workspace_roots
from engine.config.config_file import ConfigWatch, LoadedConfig, load_usable
from engine.config.paths import Paths
from engine.config.settings import Config
from engine.domain.activity import ALL, Steps
from engine.domain.errors import UserError, add_late, user_error
from engine.domain.events import Event
from engine.domain.fault import SETTINGS, Fault, fault_words
from engine.domain.interaction import DeliveryTime, InputRequest, ModeChange, RequestAnswer
from engine.domain.kinds import USUAL, EventKind
from engine.domain.lifecycle import LIVE
from engine.domain.model import Pause, Run, RunSpec
from engine.domain.projection import View
from engine.domain.radar import OverlapDetector
from engine.domain.run_mode import UNCHANGED
from engine.execution import task_tree
from engine.execution.bus import EventBatch, EventBus, EventStream
from engine.execution.journal import Journal
from engine.execution.run_records import RunRecords
from engine.execution.shared_settings import SharedSettings
from engine.execution.supervision_monitor import SupervisionMonitor
from engine.execution.supervisor_lock import SupervisorLock
from engine.execution.task_tree import SupervisedTask, TaskTree
from engine.lazy_services import MODULE_OF, LazyServices, OtherMachines
from engine.runs.finder import find_run, find_shortest_ends
from engine.store.history import EventHistory
from engine.store.store import Store, open_store
from engine.system.environment import distrust
from engine.system.open_files import raise_limit

if TYPE_CHECKING:
    from engine.api_tokens import ApiTokens
    from engine.batches.matrix import matrix_of, read_matrix
    from engine.batches.request import BatchRequest
    from engine.batches.service import Batches, BatchPlan
    from engine.cluster_nodes import ClusterNodes
    from engine.disk.cleanup import CleanupItemResult, CleanupReport
    from engine.disk.cleanup_plan import CleanupFilter, CleanupItem, CleanupPlan
    from engine.disk.locations import DiskLocation, LocationKind
    from engine.disk.service import Disk, DiskUsage
    from engine.disk.trash_entry import TrashEntry
    from engine.disk.unsaved import UnsavedWork
    from engine.doctor import CheckHealth, DiskSpace, Doctor, Finding
    from engine.domain.approval_rules import ApprovalRule
    from engine.domain.consent import Consent
    from engine.domain.folder_size import FolderSize
    from engine.domain.start_key import StartKey
    from engine.execution.background import BackgroundProcess, start_if_needed
    from engine.execution.cluster.cluster import ClusterPort
    from engine.execution.executor import AttemptFile, AttemptPart, AttemptRef, Executor
    from engine.execution.live_output import LiveOutput
    from engine.execution.recovery import RecoveryReport, recover
    from engine.execution.supervision_state import SupervisionState, supervision_state
    from engine.execution.supervisor_status import LockHolder, read_holder
    from engine.login_check import LoginCheck
    from engine.notifications.service import Notifications, ReceiverHealth, ReceiverStatus
    from engine.patterns.service import Patterns
    from engine.runs.annotations import RunAnnotations
    from engine.runs.applying import ApplyOptions, RunApplied, apply_run
    from engine.runs.comments import LocatedComment, RunComments
    from engine.runs.forgetting import ForgetPlan, RunForgetting
    from engine.runs.forks import RunForks
    from engine.runs.pull_requests import RunPullRequests
    from engine.runs.pushes import PushRequest, PushResult, RunPushes
    from engine.runs.threads import RunThreads
    from engine.runs.updates import CommitsBehind, RunUpdates, UpdateReport, UpdateRequest
    from engine.supervising_process import supervise
    from engine.supervision import Supervision
    from engine.templates.parameters import Parameter
    from engine.templates.service import Templates
    from engine.templates.template import RenderedTemplate, Template
    from engine.trust.service import Trust
    from engine.usage.run_costs import RunCosts
    from engine.usage.service import UsageReports
    from engine.workspaces.apply.apply import ApplyMode, ApplyResult
    from engine.workspaces.apply.restore import RestoreResult
    from engine.workspaces.apply.three_way import Conflict
    from engine.workspaces.apply.undo import UndoneApply
    from engine.workspaces.checkpoints.changes import Changes, FileDelta
    from engine.workspaces.checkpoints.checkpoints import Checkpoint
    from engine.workspaces.checkpoints.comparison import Comparison
    from engine.workspaces.files.open_file import OpenFile
    from engine.workspaces.files.tree import FilePreview, TreeEntry
    from engine.workspaces.git.pull_request import PullRequest
    from engine.workspaces.service import Workspaces
    from engine.workspaces.sources import SourceInfo, SourceInspector

__all__ = [
    "ApplyMode",
    "ApplyOptions",
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
    "CommitsBehind",
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
    "ForgetPlan",
    "LocatedComment",
    "LocationKind",
    "LockHolder",
    "OpenFile",
    "Parameter",
    "PullRequest",
    "PushRequest",
    "PushResult",
    "ReceiverHealth",
    "ReceiverStatus",
    "RecoveryReport",
    "RenderedTemplate",
    "RestoreResult",
    "RunApplied",
    "SourceInfo",
    "SupervisionState",
    "TaskTree",
    "Template",
    "Templates",
    "TrashEntry",
    "TreeEntry",
    "UndoneApply",
    "UnsavedWork",
    "UpdateReport",
    "UpdateRequest",
    "apply_run",
    "matrix_of",
    "read_holder",
    "read_matrix",
    "recover",
    "start_if_needed",
    "supervise",
    "supervision_state",
]

_log = logging.getLogger(__name__)
MAX_SLOTS = 1000
ESSENTIAL = ("journal", "supervision", "scheduler", "follower")
"""Tasks without which runs do not progress, or do so unseen."""
RADAR_RUNS = 1000
OVERLAPS_S = 1.0
"""Seconds between two searches for overlaps."""


add_late(lambda: import_module("engine.agents.profiles"))


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever the name stands for
    """Import what faces know from here when they ask for it."""
    if name not in MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(MODULE_OF[name])
    return getattr(module, name)


class Engine:
    """One home's runs. Commands go in; what came of them comes out as batches of events."""

    def __init__(
        self, paths: Paths, config: Config, store: Store, view: View, machines: OtherMachines
    ) -> None:
        self.paths = paths
        self._store = store
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
        machines.seen = lambda: self._shared.nodes
        self._services = LazyServices(
            paths, config, store, self._journal, self.check, lambda: self.faults, machines
        )
        self.memory = self._services.memory
        self.search = self._services.search
        self.queue_pace = self._services.queue_pace
        self._supervision: Supervision | None = None
        self._supervising: SupervisedTask | None = None
        self._ownership = SupervisorLock(paths.lock)
        self.lookout = SupervisionMonitor(self._ownership, lambda: bool(view.live), self._published)
        """Monitor of the supervision of the runs, where this engine does not supervise them."""

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
        executors: Mapping[str, Executor] | None = None,
        cluster: ClusterPort | None = None,
    ) -> AsyncGenerator[Engine]:
        """Open a home; `follow` keeps `view` current, `supervise` also runs what is queued here.

        With `after` it begins with that only when this is done: what comes before it is not slowed.
        One engine supervises a home at a time; the others wait to take over. Raises `UserError`.
        Runs for other machines are given to `executors`, by their names, or to nodes of `cluster`.
        Without a `config` the settings file counts; a mistake in it only keeps runs from starting.
        """
        paths.prepare()
        is_of_file = not isinstance(config, Config)
        loaded = (LoadedConfig(config) if isinstance(config, Config) else config) or load_usable(
            paths
        )
        config = loaded.config
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(_store_of(paths, config))
            engine = cls(paths, config, store, View(), OtherMachines(executors or {}, cluster))
            engine._services.config_error = loaded.error
            await engine._shared.refresh()
            await engine.queue_pace.load()
            stack.push_async_callback(engine._services.close)
            await engine._services.settle_forgotten()
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
    def config(self) -> Config:
        """The settings."""
        return self._services.config

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
        known = [fault.task for fault in own] + [SETTINGS] * bool(self._services.config_error)
        hidden = {SETTINGS}.intersection(known)  # this process found the mistake itself
        return own + tuple(
            fault for fault in self._shared.faults if fault not in own and fault.task not in hidden
        )

    def check_works(self) -> None:
        """Raise `UserError` if this engine can no longer do what it was opened for."""
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
        ids: Iterable[str] = (),
        statuses: Iterable[str] = (),
        project: str | None = None,
        batch: str | None = None,
        below: str | None = None,
        like: str = "",
        older_than: str | None = None,
        limit: int = -1,
    ) -> list[Run]:
        """Return the runs that match, newest first, straight from the store."""
        more = dict[str, Any](ids=ids, statuses=statuses, project=project, batch=batch, below=below)
        return await self._store.runs(**more, like=like, older_than=older_than, limit=limit)

    async def radar(self) -> OverlapDetector:
        """Return which of the latest runs change the same lines, straight from the store."""
        from engine.runs.overlaps import learn_lines

        view = View(await self._store.runs(limit=RADAR_RUNS))
        await learn_lines(view, self.workspaces)
        return view.radar

    async def find_overlaps(self) -> None:
        """Find the overlaps of runs from now on: after events, and never many at a time."""
        from engine.runs.overlaps import learn_lines  # not before the first paint

        batches = self.batches(OVERLAPS_S)
        while True:
            if changed := await learn_lines(self.view, self.workspaces):
                self._publish((), changed)
            await anext(batches)

    async def find(self, name: str) -> Run:
        """Return the run that `name` means; raises `UserError` RUN_NOT_FOUND or RUN_AMBIGUOUS."""
        return await find_run(self._store, name)

    async def shortest_ends(self, runs: Iterable[str]) -> dict[str, str]:
        """Return for the id of each of these runs the shortest end that names it."""
        return await find_shortest_ends(self._store, runs)

    async def read_attempt(
        self, ref: AttemptRef, file: AttemptFile, start: int = 0, limit_bytes: int = -1
    ) -> bytes | None:
        """Return a file that an attempt left, from its host; None if missing. Raises OSError."""
        executor = self._services.executors.of_run(await self.find(ref.run))
        return await executor.read_file(ref, file, start, limit_bytes)

    def live_output(self, run: Run) -> LiveOutput | None:
        """Return the live reports of a run, read while it works; None where there are none."""
        from engine.execution.live_output import open_live

        return open_live(run, self._services.executors)

    def position(self, run: str) -> int | None:
        """Return a queued run's place in the queue, from 1."""
        queued = [each.id for each in self.view.queue()]
        return queued.index(run) + 1 if run in queued else None

    # What the user asks for; each raises `UserError` where it cannot be

    async def start(self, spec: RunSpec, key: StartKey | None = None) -> Run:
        """Check everything that can be checked, then queue a run; at most one for each key."""
        return await self._services.requests.start(spec, key)

    async def check(self, spec: RunSpec, ask_later: bool = False) -> RunSpec:
        """Check a request for a run, and return it complete.

        With `ask_later`, missing trust in its repository is not an error.
        """
        return await self._services.requests.check(spec, ask_later)

    async def answer(self, run: str, answered: RequestAnswer) -> Run:
        """Answer an open request of a run; raises `UserError` where it is not open any more."""
        return await self._services.requests.answer(run, answered)

    async def answer_all(
        self, answers: Sequence[tuple[str, RequestAnswer]]
    ) -> list[Run | UserError]:
        """Answer open requests in one step; returns for each of them the run, or its error."""
        return await self._services.requests.answer_all(answers)

    async def rules(self) -> list[ApprovalRule]:
        """Return the approval rules with their uses: the user's, and those of the settings."""
        return await self._services.rules.all()

    async def add_rule(self, rule: ApprovalRule) -> ApprovalRule:
        """Add a rule that answers equal open requests, too; raises `UserError` INPUT_INVALID."""
        added = await self._services.rules.add(rule)
        self._publish((), set())
        return added

    async def remove_rule(self, rule: str) -> ApprovalRule:
        """Remove a rule by its id: from the next request on; raises RULE_NOT_FOUND."""
        return await self._services.rules.remove(rule)

    def possible_rules(self, run: Run, request: InputRequest) -> list[ApprovalRule]:
        """Return the rules that could answer requests like this one, the narrowest first."""
        from engine.domain import rule_matching

        return rule_matching.possible(run, request)

    async def send(self, run: str, text: str, delivery: DeliveryTime = DeliveryTime.NOW) -> Run:
        """Send a message to the agent of a run; one that has ended goes on with it."""
        return await self._services.requests.send(run, text, delivery)

    async def withdraw(self, run: str, message: str) -> Run:
        """Withdraw a message to the agent by its id; raises `UserError` where it was read."""
        return await self._services.requests.withdraw(run, message)

    async def interrupt(self, run: str, text: str = "") -> Run:
        """End the turn of a run's agent; with a text, it goes on with that at once."""
        return await self._services.requests.interrupt(run, text)

    async def cancel(self, run: str, *, kill: bool = False) -> Run:
        """Request the end of a run: SIGTERM, SIGKILL after the grace time; `kill`: at once."""
        return await self._services.requests.cancel(run, kill=kill)

    async def cancel_all(
        self, runs: Iterable[str], *, kill: bool = False, children: bool = False, work: Steps = ALL
    ) -> list[Run]:
        """Cancel those of the runs that can be, in parts, and all below them with `children`."""
        requests = self._services.requests
        return await requests.cancel_all(runs, kill=kill, children=children, work=work)

    async def retry(
        self,
        run: str,
        *,
        prompt: str | None = None,
        fresh: bool = False,
        change: ModeChange = UNCHANGED,
    ) -> Run:
        """Queue a finished run's next attempt, in its workspace and its thread.

        With a `prompt` of its own it starts a new thread; `fresh` starts over, in a new workspace.
        """
        return await self._services.requests.retry(run, prompt=prompt, fresh=fresh, change=change)

    async def resume(self, run: str, message: str, change: ModeChange = UNCHANGED) -> Run:
        """Continue a finished run's thread with a message."""
        return await self._services.requests.resume(run, message, change)

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

    # Services, imported on first use

    @property
    def workspaces(self) -> Workspaces:
        """The folders in which agents work."""
        return self._services.workspaces

    @property
    def annotations(self) -> RunAnnotations:
        """State of runs that the user sets: tags, notes, dismissed and archived."""
        return self._services.annotations

    @property
    def comments(self) -> RunComments:
        """Comments of the user on the changes of runs."""
        return self._services.comments

    @property
    def pushes(self) -> RunPushes:
        """Pushes of runs' branches to a remote."""
        return self._services.pushes

    @property
    def threads(self) -> RunThreads:
        """Threads of runs, opened in their agent's own program."""
        return self._services.threads

    @property
    def pull_requests(self) -> RunPullRequests:
        """Pull requests of runs."""
        return self._services.pull_requests

    @property
    def forks(self) -> RunForks:
        """New runs on copies of another run's workspace and thread."""
        return self._services.forks

    @property
    def forgetting(self) -> RunForgetting:
        """The removal of runs with all that belongs to them."""
        return self._services.forgetting

    @property
    def updates(self) -> RunUpdates:
        """Updates of workspaces onto the newest commit of their base."""
        return self._services.updates

    @property
    def sources(self) -> SourceInspector:
        """The possible sources of workspaces."""
        return self._services.sources

    @property
    def usage(self) -> UsageReports:
        """Usage of all runs and other sessions, and the limits."""
        return self._services.usage

    @property
    def disk(self) -> Disk:
        """Disk usage, and how to free space."""
        return self._services.disk

    @property
    def mirrored(self) -> Mapping[str, int]:
        """The last checkpoints that were shown of runs whose node did not answer."""
        return self._services.mirrored

    @property
    def cluster(self) -> ClusterNodes:
        """The nodes of the cluster; no connection is made before they are asked for."""
        return self._services.nodes

    @property
    def templates(self) -> Templates:
        """The run templates."""
        return self._services.templates

    @property
    def swarms(self) -> Batches:
        """Runs started together."""
        return self._services.swarms

    @property
    def costs(self) -> RunCosts:
        """Estimated costs of runs."""
        return self._services.costs

    @property
    def patterns(self) -> Patterns:
        """Patterns of what worked, to learn from."""
        return self._services.patterns

    @property
    def notifications(self) -> Notifications:
        """Receivers of notifications, and their deliveries."""
        return self._services.notifications

    @property
    def trust(self) -> Trust:
        """The repositories' files that the user has trusted."""
        return self._services.trust

    @property
    def api_tokens(self) -> ApiTokens:
        """The tokens of clients of the API."""
        return self._services.api_tokens

    @property
    def logins(self) -> LoginCheck:
        """The check of agents' logins before a run is created."""
        return self._services.logins

    @property
    def doctor(self) -> Doctor:
        """Diagnosis of all that runs need."""
        return self._services.doctor

    # Inside

    async def _shared_changed(self) -> None:
        """Take over what another process set for all."""
        if await self._shared.refresh():
            self._publish((), set())

    def _publish(self, events: Sequence[Event], runs: set[str]) -> None:
        """Hand on what happened; no listener that fails keeps the others from hearing of it."""
        self._bus.publish(events, runs)
        guard = self.tasks.faults.guard
        with guard("limit news"):
            self.queue_pace.notify(events, self.view.runs)
        with guard("search news"):
            self.search.notify()
        if self._supervision and (scheduler := self._supervision.scheduler):
            with guard("notification news"):
                self.notifications.notify(events)
            with guard("scheduler news"):
                scheduler.notify(runs)
            with guard("rules news"):
                self._supervision.rules.notify(events)
            with guard("spending news"):
                self._supervision.spending.notify(events)

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
            self._services.config_error = loaded.error

        watch = ConfigWatch(self.paths, self.config, self.tasks.faults, changed)
        self.tasks.start("settings watch", watch.run)

    def _begin_to_supervise(self, after: Callable[[], Awaitable[object]] | None) -> None:
        from engine.supervision import Supervision

        self._supervision = supervision = Supervision(
            self._services,
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


def _store_of(paths: Paths, config: Config) -> AbstractAsyncContextManager[Store]:
    """Open the store with what it writes for receivers; without any, nothing is imported."""
    if not (config.webhooks or config.notify.apprise):
        return open_store(paths.database)
    from engine.notifications.receivers import wishes
    from engine.usage.prices import PriceList
    from engine.usage.run_costs import RunCosts

    costs = RunCosts(PriceList(config.prices))
    return open_store(paths.database, wishes(config), cost=costs.of_run)
