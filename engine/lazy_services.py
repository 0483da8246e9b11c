"""The parts of an engine that not every command needs: imported when they are asked for first.

Half of what a command line waits for is imports, and a list of runs knows nothing of workspaces.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from engine.config.paths import Paths
from engine.config.preferences import Preferences
from engine.config.settings import Config
from engine.domain.budget import Budget, BudgetUnit
from engine.domain.errors import UserError, user_error
from engine.domain.fault import Fault
from engine.domain.model import Run, RunSpec, Workspace
from engine.domain.placement import NodePlaces
from engine.domain.record import mutable_record
from engine.execution.journal import Journal
from engine.runs.finder import find_run
from engine.search import HistorySearch
from engine.store.store import Store
from engine.usage.queue_pace import QueuePace

if TYPE_CHECKING:
    from engine.api_tokens import ApiTokens
    from engine.batches.service import Batches
    from engine.cluster_nodes import ClusterNodes
    from engine.disk.service import Disk
    from engine.doctor import Doctor
    from engine.domain.finding import Finding
    from engine.execution.cluster.cluster import ClusterPort
    from engine.execution.executor import Executor
    from engine.execution.executors import Executors
    from engine.execution.host_workspaces import HostWorkspaces
    from engine.login_check import LoginCheck
    from engine.notifications.service import Notifications
    from engine.patterns.service import Patterns
    from engine.runs.annotations import RunAnnotations
    from engine.runs.comments import RunComments
    from engine.runs.forgetting import RunForgetting
    from engine.runs.forks import RunForks
    from engine.runs.pull_requests import RunPullRequests
    from engine.runs.pushes import RunPushes
    from engine.runs.requests import RunRequests
    from engine.runs.rules import ApprovalRules
    from engine.runs.threads import RunThreads
    from engine.runs.updates import RunUpdates
    from engine.templates.service import Templates
    from engine.trust.service import Trust
    from engine.usage.budget_meter import BudgetMeter
    from engine.usage.other_sessions import OtherSessions
    from engine.usage.prices import PriceList
    from engine.usage.run_costs import RunCosts
    from engine.usage.service import UsageReports
    from engine.workspaces.service import Workspaces
    from engine.workspaces.sources import SourceInspector

WHERE = {
    "engine.disk.cleanup": ("CleanupItemResult", "CleanupReport"),
    "engine.domain.consent": ("Consent",),
    "engine.runs.applying": ("ApplyOptions", "RunApplied", "apply_run"),
    "engine.runs.comments": ("LocatedComment",),
    "engine.runs.forgetting": ("ForgetPlan",),
    "engine.runs.pushes": ("PushRequest", "PushResult"),
    "engine.runs.updates": ("CommitsBehind", "UpdateReport", "UpdateRequest"),
    "engine.workspaces.files.open_file": ("OpenFile",),
    "engine.workspaces.git.pull_request": ("PullRequest",),
    "engine.supervising_process": ("supervise",),
    "engine.disk.service": ("DiskUsage",),
    "engine.doctor": ("Finding", "CheckHealth", "DiskSpace"),
    "engine.batches.request": ("BatchRequest",),
    "engine.batches.matrix": ("matrix_of", "read_matrix"),
    "engine.templates.parameters": ("Parameter",),
    "engine.templates.template": ("RenderedTemplate", "Template"),
    "engine.notifications.service": ("ReceiverHealth", "ReceiverStatus"),
    "engine.execution.executor": ("AttemptFile", "AttemptPart", "AttemptRef"),
    "engine.execution.recovery": ("RecoveryReport", "recover"),
    "engine.execution.background": (
        "BackgroundProcess",
        "start_if_needed",
    ),
    "engine.execution.supervisor_status": ("LockHolder", "read_holder"),
    "engine.execution.supervision_state": ("SupervisionState", "supervision_state"),
    "engine.workspaces.sources": ("SourceInfo",),
    "engine.batches.service": ("BatchPlan",),
    "engine.templates.service": ("Templates",),
    "engine.disk.trash_entry": ("TrashEntry",),
    "engine.domain.folder_size": ("FolderSize",),
    "engine.disk.locations": ("DiskLocation", "LocationKind"),
    "engine.disk.cleanup_plan": ("CleanupItem", "CleanupPlan", "CleanupFilter"),
    "engine.disk.unsaved": ("UnsavedWork",),
    "engine.workspaces.apply.apply": ("ApplyMode", "ApplyResult"),
    "engine.workspaces.checkpoints.changes": ("Changes", "FileDelta"),
    "engine.workspaces.checkpoints.checkpoints": ("Checkpoint",),
    "engine.workspaces.checkpoints.comparison": ("Comparison",),
    "engine.workspaces.apply.restore": ("RestoreResult",),
    "engine.workspaces.apply.three_way": ("Conflict",),
    "engine.workspaces.apply.undo": ("UndoneApply",),
    "engine.workspaces.files.tree": ("FilePreview", "TreeEntry"),
}
"""Modules of the names that `engine.engine` exports and imports late."""

_log = logging.getLogger(__name__)

CheckRequest = Callable[[RunSpec, bool], Awaitable[RunSpec]]
"""Checks a request for a run; the second argument: its missing trust is not an error."""

MODULE_OF = {name: module for module, names in WHERE.items() for name in names}


@mutable_record
class OtherMachines:
    """Executors of machines by name, and a cluster in the place of the one of the settings."""

    executors: Mapping[str, Executor] = field(default_factory=dict[str, "Executor"])
    cluster: ClusterPort | None = None
    seen: Callable[[], NodePlaces] = NodePlaces
    """Returns the places on nodes, as the supervising engine saw them last."""

    def places(self, config: Config) -> NodePlaces:
        """Return the places on nodes, as the nodes were last seen."""
        seen, machines = self.seen(), frozenset(self.executors)
        is_set = self.has_cluster(config) or seen.is_set
        return replace(seen, is_set=is_set, is_taken=seen.is_set, machines=machines)

    def has_cluster(self, config: Config) -> bool:
        """Return whether this process has a cluster; one that supervises may have another."""
        return self.cluster is not None or bool(config.cluster.scheduler)


class LazyServices:
    """Services of an engine beside its runs, each made when it is first asked for."""

    def __init__(
        self,
        paths: Paths,
        config: Config,
        store: Store,
        journal: Journal,
        check: CheckRequest,
        faults: Callable[[], tuple[Fault, ...]],
        machines: OtherMachines,
    ) -> None:
        self.paths = paths
        self.config = config
        self.config_error: UserError | None = None
        """The mistake in the settings file; while there is one, no run can be started."""
        self._store = store
        store.child_limits = lambda: self.config.children.limits
        self._journal = journal
        self._check = check
        self._faults = faults
        self.machines = machines
        self._connected: ClusterPort | None = None
        self._find = partial(find_run, store)
        self.memory = Preferences(store)
        self.search = HistorySearch(store)
        self.queue_pace = QueuePace(config.queue, store, self._accounts())

    def _accounts(self) -> Sequence[str]:
        """Return the accounts that runs go on under where theirs has no room."""
        if not self.config.accounts:
            return ()
        from engine.agents.profiles import DEFAULT
        from engine.agents.registry import agent_of

        accounts = agent_of(DEFAULT.name).accounts
        return accounts.names(self.config) if accounts.can_move(self.config) else ()

    def check_config(self) -> None:
        """Raise the mistake in the settings file, if there is one."""
        if self.config_error:
            raise self.config_error

    @cached_property
    def executors(self) -> Executors:
        """The machines that run attempts: this one, and the others that were named."""
        from engine.execution.executors import Executors

        by_host, is_set = self.machines.executors, self.machines.has_cluster(self.config)
        # The cluster itself is imported with the first run that is there.
        node = self._node_executor if is_set else None
        return Executors.of_home(self.paths, self.config.spare, by_host, node)

    def _node_executor(self, node: str) -> Executor:
        return self.require_cluster().executor(node)

    @cached_property
    def cluster(self) -> ClusterPort | None:
        """The cluster that runs can work on; None where none is set, or it cannot be used."""
        try:
            return self.require_cluster()
        except UserError as error:
            if self.machines.has_cluster(self.config):
                _log.warning("no cluster: %s", error)
            return None

    def require_cluster(self) -> ClusterPort:
        """Return the cluster, without a connection yet; raises `UserError` where there is none."""
        if self._connected is None:
            self._connected = self.machines.cluster or self._made_cluster()
        return self._connected

    def _made_cluster(self) -> ClusterPort:
        settings = self.config.cluster
        if not settings.scheduler:
            raise user_error("CLUSTER_NOT_SET")
        from engine.execution.cluster.cluster import Cluster
        from engine.execution.cluster.connection import channel_of

        return Cluster(self.paths, channel_of(settings), scheduler=settings.scheduler)

    @property
    def mirrored(self) -> Mapping[str, int]:
        """The checkpoints that were shown of runs whose node did not answer."""
        return self._connected.shown() if self._connected else {}

    async def close(self) -> None:
        """Close the connection to the cluster, if one was made here."""
        if self._connected and self._connected is not self.machines.cluster:
            await self._connected.close()

    # Not the method of the registry itself: a list of files needs no executor imported.
    def _checkpoint_stores(self, workspace: Workspace) -> HostWorkspaces:
        return self.executors.workspaces(workspace)

    @cached_property
    def rules(self) -> ApprovalRules:
        """The rules that answer requests of agents."""
        from engine.runs.rules import ApprovalRules

        return ApprovalRules(self._store, self.config)

    @cached_property
    def requests(self) -> RunRequests:
        """The user's requests for runs."""
        from engine.runs.requests import RunRequests

        return RunRequests(self, self._store, self._journal)

    @cached_property
    def threads(self) -> RunThreads:
        """Threads of runs in their agent's own program."""
        from engine.runs.threads import RunThreads

        return RunThreads(self, self._store, self._journal)

    @cached_property
    def logins(self) -> LoginCheck:
        """The check of agents' logins before a run is created."""
        from engine.login_check import LoginCheck

        return LoginCheck(self.paths, self.config)

    async def _last_message(self, run: Run, limit_bytes: int) -> bytes:
        from engine.execution.executor import AttemptFile, AttemptRef

        ref = AttemptRef(run.id, run.attempt)
        found = self.executors.of_run(run).read_file(
            ref, AttemptFile.LAST_MESSAGE, limit_bytes=limit_bytes
        )
        return await found or b""

    @cached_property
    def doctor(self) -> Doctor:
        """Diagnosis of all that runs need."""
        from engine.doctor import Doctor

        cluster = self._examine_cluster if self.config.cluster.scheduler else None
        return Doctor(self.paths, self.config, self._store, self.executors, self._faults, cluster)

    async def _examine_cluster(self) -> list[Finding]:
        from importlib.metadata import version

        from engine.execution.cluster.diagnosis import examine_cluster

        here = version("swarm-tui")
        return await examine_cluster(self.config.cluster, self.nodes.refresh, here)

    @cached_property
    def workspaces(self) -> Workspaces:
        """The folders agents work in."""
        from engine.workspaces.service import Workspaces

        return Workspaces(
            self.paths,
            self._find,
            self._journal.change,
            self._last_message,
            self._checkpoint_stores,
        )

    @cached_property
    def annotations(self) -> RunAnnotations:
        """State of runs that the user sets: tags, notes, dismissed and archived."""
        from engine.runs.annotations import RunAnnotations

        return RunAnnotations(self._store, self._journal)

    @cached_property
    def comments(self) -> RunComments:
        """Comments of the user on the changes of runs."""
        from engine.runs.comments import RunComments

        drafts = self._store.comment_drafts
        return RunComments(self._find, self._journal, self.requests, self.workspaces, drafts)

    @cached_property
    def pushes(self) -> RunPushes:
        """Pushes of runs' branches to a remote."""
        from engine.runs.pushes import RunPushes

        return RunPushes(self.paths, self._find, self._journal, self.workspaces)

    @cached_property
    def updates(self) -> RunUpdates:
        """Updates of workspaces onto the newest commit of their base."""
        from engine.runs.updates import RunUpdates

        return RunUpdates(self.paths, self._find, self._journal, self)

    @cached_property
    def pull_requests(self) -> RunPullRequests:
        """Pull requests of runs, read with `gh`."""
        from engine.runs.pull_requests import RunPullRequests

        return RunPullRequests(self.paths, self._store, self._journal)

    @cached_property
    def forks(self) -> RunForks:
        """New runs on copies of another run's workspace and thread."""
        from engine.runs.forks import RunForks

        return RunForks(self.paths, self._find, self._store, self._journal, self.requests)

    @cached_property
    def forgetting(self) -> RunForgetting:
        """The removal of runs with all that belongs to them."""
        from engine.runs.forgetting import RunForgetting

        def machine(host: str) -> object:
            return self.executors.of_host(host).workspaces

        return RunForgetting(self.paths, self._store, self._journal, self.disk, machine)

    async def settle_forgotten(self) -> None:
        """Put back the files of runs that a process was about to forget when it ended."""
        if not await asyncio.to_thread(self.paths.forgotten.is_dir):
            return  # nothing is imported
        from engine.runs.forgetting import is_unsettled

        try:
            if await asyncio.to_thread(is_unsettled, self.paths):
                await self.forgetting.settle()
        except (UserError, OSError) as error:  # maintenance tries again
            _log.warning("files of runs stay aside: %s", error)

    @cached_property
    def trust(self) -> Trust:
        """The repositories' files that the user has trusted."""
        from engine.trust.service import Trust

        return Trust(self._store, self.config)

    @cached_property
    def api_tokens(self) -> ApiTokens:
        """The tokens of clients of the API."""
        from engine.api_tokens import ApiTokens

        return ApiTokens(self._store)

    @cached_property
    def templates(self) -> Templates:
        """The run templates."""
        from engine.templates.service import Templates

        return Templates(self.paths, self._store, self.trust, self.config)

    @cached_property
    def usage(self) -> UsageReports:
        """Usage of all runs and other sessions, and the limits."""
        from engine.usage.service import UsageReports

        others = self.other_sessions if self.config.usage.other_sessions else None
        return UsageReports(self._store.usage, self.prices.cost_usd, others=others)

    @cached_property
    def budget_meter(self) -> BudgetMeter:
        """The meter of what runs have used of their budgets."""
        from engine.usage.budget_meter import BudgetMeter

        return BudgetMeter(self._store.usage, self.prices, self.usage.cycles)

    async def check_budget(self, budget: Budget | None, spec: RunSpec) -> None:
        """Raise `UserError` for a budget in money of a run whose model has no known price."""
        if budget is not None and budget.unit is BudgetUnit.USD:
            # In a thread: a price list takes its time to load.
            await asyncio.to_thread(self.budget_meter.check_price, budget, spec.model or "")

    @cached_property
    def other_sessions(self) -> OtherSessions:
        """The reader of threads that were started elsewhere."""
        from engine.usage.other_sessions import OtherSessions
        from engine.usage.session_homes import session_homes

        homes = partial(session_homes, self.config)
        return OtherSessions(self.paths, self._store.sessions, homes)

    @cached_property
    def disk(self) -> Disk:
        """Disk usage, and how to free space."""
        from engine.disk.service import Disk

        def machine(host: str) -> object:
            return self.executors.of_host(host).workspaces

        return Disk(
            self.paths,
            self.config,
            self._store,
            self._journal.change,
            self.check_config,
            machine,
        )

    @cached_property
    def nodes(self) -> ClusterNodes:
        """The nodes of the cluster, with the runs there."""
        from engine.cluster_nodes import ClusterNodes

        places = partial(self.machines.places, self.config)
        return ClusterNodes(self.config, self._store, self.require_cluster, places=places)

    @cached_property
    def sources(self) -> SourceInspector:
        """The possible sources of workspaces."""
        from engine.workspaces.sources import SourceInspector

        return SourceInspector(self.paths, self._find)

    @cached_property
    def prices(self) -> PriceList:
        """Prices of models."""
        from engine.usage.prices import PriceList

        return PriceList(self.config.prices)

    @cached_property
    def costs(self) -> RunCosts:
        """Estimated costs of runs."""
        from engine.usage.run_costs import RunCosts

        return RunCosts(self.prices)

    @cached_property
    def patterns(self) -> Patterns:
        """Patterns of what worked, to learn from."""
        from engine.patterns.service import Patterns

        return Patterns(self.paths, self._store, self._find)

    @cached_property
    def notifications(self) -> Notifications:
        """Receivers of notifications, and their deliveries."""
        from engine.notifications.service import Notifications

        return Notifications(self.config, self._store)

    @cached_property
    def swarms(self) -> Batches:
        """Runs launched together."""
        from engine.batches.service import Batches

        return Batches(
            self.paths,
            self._store,
            self._journal,
            self.templates,
            self.trust,
            self.sources,
            self._check,
            self.logins.require,
            self.costs.of_run,
            self.check_budget,
        )
