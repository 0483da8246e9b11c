"""The parts of an engine that not every command needs: imported when they are asked for first.

Half of what a command line waits for is imports, and a list of runs knows nothing of workspaces.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING

from engine.config.paths import Paths
from engine.config.preferences import Preferences
from engine.config.settings import Config
from engine.domain.errors import UserError
from engine.domain.fault import Fault
from engine.domain.model import Run, RunSpec, Workspace
from engine.execution.journal import Journal
from engine.runs.finder import find_run
from engine.search import HistorySearch
from engine.store.store import Store

if TYPE_CHECKING:
    from engine.batches.service import Batches
    from engine.disk.service import Disk
    from engine.doctor import Doctor
    from engine.execution.executor import Executor
    from engine.execution.executors import Executors
    from engine.execution.host_workspaces import HostWorkspaces
    from engine.login_check import LoginCheck
    from engine.notifications.service import Notifications
    from engine.patterns.service import Patterns
    from engine.runs.annotations import RunAnnotations
    from engine.runs.requests import RunRequests
    from engine.runs.rules import ApprovalRules
    from engine.templates.service import Templates
    from engine.trust.service import Trust
    from engine.workspaces.service import Workspaces
    from engine.workspaces.sources import SourceInspector

WHERE = {
    "engine.disk.cleanup": ("CleanupItemResult", "CleanupReport"),
    "engine.domain.consent": ("Consent",),
    "engine.runs.comments": ("LocatedComment",),
    "engine.runs.pushes": ("PushRequest", "PushResult"),
    "engine.workspaces.git.pull_request": ("PullRequest",),
    "engine.supervising_process": ("supervise",),
    "engine.disk.service": ("DiskUsage",),
    "engine.doctor": ("Finding", "CheckHealth", "DiskSpace"),
    "engine.batches.request": ("BatchRequest",),
    "engine.batches.matrix": ("read_matrix",),
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
    "engine.execution.supervision_monitor": ("SupervisionState", "supervision_state"),
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
    "engine.workspaces.apply.three_way": ("Conflict",),
    "engine.workspaces.files.tree": ("FilePreview", "TreeEntry"),
}
"""Modules of the names that `engine.engine` exports and imports late."""

CheckRequest = Callable[[RunSpec, bool], Awaitable[RunSpec]]
"""Checks a request for a run; the second argument: its missing trust is not an error."""

MODULE_OF = {name: module for module, names in WHERE.items() for name in names}


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
        other_executors: Mapping[str, Executor],
    ) -> None:
        self.paths = paths
        self.config = config
        self.config_error: UserError | None = None
        """The mistake in the settings file; while there is one, no run can be started."""
        self._store = store
        self._journal = journal
        self._check = check
        self._faults = faults
        self._other_executors = other_executors
        self._find = partial(find_run, store)
        self.memory = Preferences(store)
        self.search = HistorySearch(store)

    def check_config(self) -> None:
        """Raise the mistake in the settings file, if there is one."""
        if self.config_error:
            raise self.config_error

    @cached_property
    def executors(self) -> Executors:
        """The machines that run attempts: this one, and the others that were named."""
        from engine.execution.executors import Executors

        return Executors.of_home(self.paths, self.config.spare, self._other_executors)

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

        return Doctor(self.paths, self.config, self._store, self.executors, self._faults)

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

        return RunAnnotations(self._journal)

    @cached_property
    def trust(self) -> Trust:
        """The repositories' files that the user has trusted."""
        from engine.trust.service import Trust

        return Trust(self._store, self.config)

    @cached_property
    def templates(self) -> Templates:
        """The run templates."""
        from engine.templates.service import Templates

        return Templates(self.paths, self._store, self.trust, self.config)

    @cached_property
    def disk(self) -> Disk:
        """Disk usage, and how to free space."""
        from engine.disk.service import Disk

        return Disk(self.paths, self.config, self._store, self._journal.change, self.check_config)

    @cached_property
    def sources(self) -> SourceInspector:
        """The possible sources of workspaces."""
        from engine.workspaces.sources import SourceInspector

        return SourceInspector(self.paths, self._find)

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
        )
